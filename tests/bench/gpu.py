"""On a GPU: vectors and training a second, how far bf16 strays from a CPU, and the memory it takes."""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.learning import encoders, tables
from workers.learning.finetune import defaults
from workers.learning.publish import Recipe, publish
from workers.learning.types import Example

DEMO = Path(__file__).parents[2] / "apps" / "config" / "demo" / "banking77.csv"
COMPARED = 500  # texts whose vectors are computed on the CPU as well
MIB = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, default=DEMO, help="CSV or JSONL; default: the bank questions of the demo")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--encoder", default=encoders.DEFAULT)
    parser.add_argument("--texts", type=int, default=100_000, help="texts to encode, repeated with a number in front")
    parser.add_argument("--labels", type=int, default=10_000, help="rows to train on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cuda")


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here: run this on a machine with one, or try it out with --device cpu")
    table = tables.read(args.file, text_col=args.text_col, label_col=args.label_col)
    texts = [f"{n} {table.texts[n % len(table.texts)]}" for n in range(args.texts)]
    gpu = args.device.startswith("cuda")
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "bf16_supported": bool(gpu and torch.cuda.is_bf16_supported()),
    }
    figures |= _encoding(args, texts)
    return figures | _training(args, table)


def _encoding(args: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    """Rates in fp32 (TF32 on a GPU) and bf16, and their vectors beside those of a CPU."""
    plain = encoders.load(args.encoder, device="cpu", runtime="torch").encode(texts[:COMPARED])
    figures: dict[str, Any] = {}
    for name, runtime in (("fp32", "torch"), ("bf16", "torch-bf16")):
        encoder = encoders.load(args.encoder, device=args.device, runtime=runtime)
        encoder.encode(texts[:2_000])  # warm
        _forget_peak(args.device)
        started = time.perf_counter()
        vectors = encoder.encode(texts)
        seconds = time.perf_counter() - started
        figures |= {
            f"encode_{name}_texts_per_s": round(len(texts) / seconds, 1),
            f"encode_{name}_cosine_with_cpu": round(_cosine(plain, vectors[:COMPARED]), 5),
            f"encode_{name}_peak_mib": _peak(args.device),
            # the parity gate may have put fp32 in its place
            f"encode_{name}_ran_in": getattr(getattr(encoder, "runtime", None), "kind", "numpy"),
        }
    return figures


def _training(args: argparse.Namespace, table: tables.Table) -> dict[str, Any]:
    """Seconds and dev score of one fine-tuning run on each device, the CPU on a tenth of it."""
    names = table.names()
    every = table.examples(names)
    examples = [every[i] for i in np.random.default_rng(0).permutation(len(every))[: args.labels]]
    figures: dict[str, Any] = {"train_labels": len(examples), "train_epochs": args.epochs}
    _forget_peak(args.device)
    found = _trained(args, examples, names, args.device)
    figures |= {f"train_{key}": value for key, value in found.items()} | {"train_peak_mib": _peak(args.device)}
    if args.device.startswith("cuda"):
        slow = _trained(args, examples[: max(100, len(examples) // 10)], names, "cpu")
        figures["train_cpu_examples_per_s"] = slow["examples_per_s"]
        figures["train_times_cpu"] = round(found["examples_per_s"] / slow["examples_per_s"], 1)
    return figures


def _trained(args: argparse.Namespace, examples: list[Example], names: list[str], device: str) -> dict[str, Any]:
    choice = defaults.choose(
        "single", len(examples), len(names), encoder=args.encoder, device=device, kind="transformer"
    )
    recipe = Recipe(
        kind="transformer",
        encoder=args.encoder,
        label_order=[[place, name] for place, name in enumerate(names)],
        config=choice.changed() | {"epochs": args.epochs, "patience": args.epochs},
        device=device,
    )
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as folder:
        started = time.perf_counter()
        manifest = publish(examples, recipe, Path(folder) / "model")
        seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 1),
        "examples_per_s": round(args.epochs * len(examples) / seconds, 1),
        "dev_value": manifest.metrics.get("dev_value"),
        "precision": manifest.metrics.get("precision"),
    }


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.einsum("nd,nd->n", a, b).mean())


def _forget_peak(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()


def _peak(device: str) -> float | None:
    """MiB that tensors held at most; nothing is known of a CPU."""
    import torch

    return round(torch.cuda.max_memory_allocated() / MIB, 1) if device.startswith("cuda") else None
