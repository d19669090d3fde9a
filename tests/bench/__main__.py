"""`python -m tests.bench NAME … [--json FILE]`: measure, print, keep."""

import argparse
import importlib
import json
from pathlib import Path

COMMANDS = {"imports": "import", "exports": "export"}  # `import` is no name for a module


def main() -> None:
    modules = {
        COMMANDS.get(path.stem, path.stem.replace("_", "-")): path.stem
        for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
        if "def add_arguments" in path.read_text()
    }
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    benches = parser.add_subparsers(dest="bench", required=True)
    for name, module in modules.items():
        bench = importlib.import_module(f"tests.bench.{module}")
        one = benches.add_parser(name, help=(bench.__doc__ or "").split("\n", 1)[0])
        bench.add_arguments(one)
        one.add_argument("--json", type=Path, help="also write the figures to this file")
        one.set_defaults(run=bench.run)
    args = parser.parse_args()
    figures = args.run(args)
    width = max(map(len, figures))
    for key, value in figures.items():
        print(f"{key:<{width}}  {value:,}" if isinstance(value, int | float) else f"{key:<{width}}  {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
