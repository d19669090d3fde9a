"""Texts to vectors: transformers padded to 128, sentence-transformers, and Marginalia in fp32, bf16 and int8, beside the
SGEMM rate of the same run. Contenders take turns, so that what disturbs one disturbs all; each shows its best round."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workers.learning import encoders, tables
from workers.learning.encoders import backbone
from workers.learning.encoders.threads import usable_cores
from workers.learning.types import LearningError

DEMO = Path(__file__).parents[2] / "apps" / "config" / "demo" / "banking77.csv"
PADDED_TO = 128
PADDED_SHARE = 8  # the padded baseline reads every eighth text: its rate does not depend on which
SGEMM = 1_536  # rows and columns
SGEMM_SECONDS = 0.4  # a round
Encode = Callable[[list[str]], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--texts", type=Path, default=DEMO, help="CSV, TSV or JSONL; else the bank questions of the demo"
    )
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label", help="for the head in the parity gate; may be absent")
    parser.add_argument("--n", type=int, default=2_000, help="texts, evenly spread over the file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", default=encoders.DEFAULT)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="0 means the cores that this process may use")


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    threads = args.threads or usable_cores()
    torch.set_num_threads(threads)
    texts, labels = _read(args)
    with tempfile.TemporaryDirectory(prefix="bench-encode-") as cache:
        contenders, facts = _contenders(args, threads, encoders.Held(texts, labels), Path(cache))
        for contender in contenders.values():
            contender.encode(list(texts[:64]))  # warm
        gflops = 0.0
        for _ in range(args.rounds):
            gflops = max(gflops, _sgemm(args.device))
            for contender in contenders.values():
                contender.turn(list(texts))
    rates = {f"{name}_texts_per_s": round(c.rate, 1) for name, c in contenders.items()}
    return {
        "device": args.device,
        "threads": threads,
        "texts": len(texts),
        **{f"{name}_texts_per_s": None for name in ("sentence_transformers", "int8", "bf16")},
        **rates,
        **_ratios(rates),
        **_useful(args.encoder, texts, contenders, gflops),
        **facts,
    }


@dataclass(slots=True)
class Contender:
    encode: Encode
    every: int = 1  # reads one text in so many
    rate: float = 0.0  # best, texts a second

    def turn(self, texts: list[str]) -> None:
        mine = texts[:: self.every]
        started = time.perf_counter()
        self.encode(mine)
        self.rate = max(self.rate, len(mine) / (time.perf_counter() - started))


def _contenders(
    args: argparse.Namespace, threads: int, held: encoders.Held, cache: Path
) -> tuple[dict[str, Contender], dict[str, Any]]:
    """Who runs, and what the gate said of each faster way."""
    fp32 = encoders.load(args.encoder, device=args.device, threads=threads, cache=cache)
    found = {
        "padded": Contender(_padded(args.encoder, args.device), every=PADDED_SHARE),
        "fp32": Contender(fp32.encode),
        "tokenise": Contender(fp32._tokenise),
    }
    facts: dict[str, Any] = {"fp32_runtime": fp32.runtime.kind}
    plain = _sentence_transformers(args.encoder, args.device)
    if plain is not None:
        found["sentence_transformers"] = Contender(plain)
        some = list(held.texts[:200])
        facts["cosine_to_sentence_transformers"] = round(float((plain(some) * fp32.encode(some)).sum(1).mean()), 6)
    for name, runtime in (("int8", "onnx-int8"), ("bf16", "torch-bf16")):
        if args.device != "cpu" and name == "int8":
            continue
        faster = encoders.load(
            args.encoder, device=args.device, threads=threads, runtime=runtime, cache=cache, held=held
        )
        parity = faster.runtime.parity
        facts[f"{name}_parity"] = None if parity is None else round(parity.cosine, 5)
        facts[f"{name}_accuracy"] = parity and parity.accuracy
        facts[f"{name}_accuracy_fp32"] = parity and parity.accuracy_fp32
        if faster.runtime.kind == runtime:
            found[name] = Contender(faster.encode)
        else:
            facts[f"{name}_refused"] = faster.runtime.reason
    return found, facts


def _padded(name: str, device: str) -> Encode:
    """What a first script does: fixed batches, every text padded to the same length."""
    import torch

    model, tokenizer = backbone.open_model(name)
    model.to(device)

    def encode(texts: list[str]) -> None:
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32],
                padding="max_length",
                truncation=True,
                max_length=PADDED_TO,
                return_tensors="pt",
            ).to(device)
            with torch.no_grad():
                states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            ((states * mask).sum(1) / mask.sum(1)).cpu().numpy()

    return encode


def _sentence_transformers(name: str, device: str) -> Encode | None:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        return None
    model = SentenceTransformer(str(backbone.spec(name).folder), device=device, local_files_only=True)
    return lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def _sgemm(device: str) -> float:
    """GFLOP/s of a square fp32 product, the best of many."""
    import torch

    a, b = torch.randn(SGEMM, SGEMM, device=device), torch.randn(SGEMM, SGEMM, device=device)
    best, ends = 0.0, time.perf_counter() + SGEMM_SECONDS
    while time.perf_counter() < ends:
        started = time.perf_counter()
        (a @ b)[0, 0].item()  # waits for a GPU
        best = max(best, 2 * SGEMM**3 / (time.perf_counter() - started) / 1e9)
    return best


def _ratios(rates: dict[str, float]) -> dict[str, float]:
    ours = rates["fp32_texts_per_s"]
    pairs = {
        "fp32_over_padded": ("fp32", "padded"),
        "fp32_over_sentence_transformers": ("fp32", "sentence_transformers"),
        "int8_over_fp32": ("int8", "fp32"),
        "bf16_over_fp32": ("bf16", "fp32"),
    }
    ratios = {
        key: round(rates[f"{a}_texts_per_s"] / rates[f"{b}_texts_per_s"], 2)
        for key, (a, b) in pairs.items()
        if f"{a}_texts_per_s" in rates and f"{b}_texts_per_s" in rates
    }
    return {**ratios, "tokenise_share": round(ours / rates["tokenise_texts_per_s"], 3)}


def _useful(name: str, texts: tuple[str, ...], contenders: dict[str, Contender], gflops: float) -> dict[str, float]:
    """What the real tokens cost, without padding: 21.2 MFLOP a token + 9.2 kFLOP × length² for MiniLM-L6."""
    spec = backbone.spec(name)
    config = json.loads((spec.folder / "config.json").read_text())
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    per_token, per_pair = 2 * layers * (4 * width**2 + 2 * width * inner), 4 * layers * width
    ids = backbone.open_tokenizer(name)(list(texts), truncation=True, max_length=spec.max_length)["input_ids"]
    lengths = np.array([len(i) for i in ids], dtype=np.float64)
    per_text = float((per_token * lengths + per_pair * lengths**2).mean())
    useful = per_text * contenders["fp32"].rate / 1e9
    return {
        "tokens_per_text": round(float(lengths.mean()), 1),
        "sgemm_gflops": round(gflops, 1),
        "fp32_useful_gflops": round(useful, 1),
        "fp32_over_sgemm": round(useful / gflops, 3),
    }


def _read(args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[int, ...]]:
    try:
        table = tables.read(args.texts, text_col=args.text_col, label_col=args.label_col)
    except LearningError:
        table = tables.read(args.texts, text_col=args.text_col, label_col=None)
    rows = np.unique(np.linspace(0, len(table.texts) - 1, args.n).round().astype(int))
    names, texts = table.names(), tuple(table.texts[i] for i in rows)
    truths = [table.truths[i] for i in rows]
    if table.task != "single" or not names or None in truths:
        return texts, ()
    return texts, tuple(names.index(str(truth)) for truth in truths)
