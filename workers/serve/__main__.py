"""`python -m workers.serve`: hold the live versions and answer for the web processes.

The key that requests show comes in the environment as SERVE_KEY, derived from SECRET_KEY by whoever starts this.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workers.serve.process import Settings, run
from workers.serve.wire import KEY


def settings(argv: Sequence[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m workers.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True, help="the data folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument("--keep", type=int, default=6, help="versions kept in memory (6)")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds of work that may wait (10)")
    parser.add_argument("--threads", type=int, help="of one forward pass on a CPU")
    given = parser.parse_args(argv)
    key = os.environ.pop(KEY, "")
    if not key:
        raise SystemExit(f"{KEY} is missing: this process is started by `manage.py up`.")
    return Settings(
        host=given.host,
        port=given.port,
        models=given.home / "models",
        key=key,
        device=given.device,
        cache=given.home / "encoders",
        state=given.home / "run" / "serve.loaded",
        keep=given.keep,
        patience=given.patience,
        threads=given.threads,
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for talker in ("transformers", "torch", "onnxruntime"):
        logging.getLogger(talker).setLevel(logging.ERROR)
    run(settings(sys.argv[1:]))
