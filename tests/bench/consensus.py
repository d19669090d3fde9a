"""Three of twenty raters at a time, drawn many times: does the project's consensus come nearer to what all twenty say?"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SNIPPETS = Path(__file__).parents[3] / "shared" / "data" / "amazon_snippets_20_raters.jsonl"
Rules = dict[str, list[float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, default=SNIPPETS, help="JSON lines with text and ratings, −4 … 4")
    parser.add_argument("--raters", type=int, default=3, help="who are asked in one draw")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--items", type=int, default=0, help="only the first so many texts; 0 for all")
    parser.add_argument("--encoder", default="minilm-l6", help="of the live head that CROWDLAB listens to")
    parser.add_argument("--vectors", type=Path, help="keep the vectors in this .npy file, and read them from there")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apps.config.settings")
    import django

    django.setup()
    texts, said = polarity(args.file, args.items)
    x = _vectors(args, texts)
    everybody, settled = reference(said)
    found = compare(said, x, everybody, settled, raters=args.raters, draws=args.draws, seed=args.seed)
    page, library = alphas(said)
    figures: dict[str, Any] = {
        "texts": len(texts),
        "compared": int(settled.sum()),
        "draws": args.draws,
        "alpha_page": round(page, 6),
        "alpha_library": round(library, 6),
        "alpha_difference": abs(page - library),
    }
    majority = np.array(found["majority"])
    for name, shares in found.items():
        figures[name] = round(float(np.mean(shares)), 4)
        if name != "majority":
            gain = 100 * (np.array(shares) - majority)
            error = float(gain.std(ddof=1)) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
            figures[f"{name}_gain_points"] = round(float(gain.mean()), 3)
            figures[f"{name}_gain_standard_error"] = round(error, 3)
            figures[f"{name}_draws_at_least_as_good"] = int((gain >= 0).sum())
    return figures


def polarity(file: Path, most: int = 0) -> tuple[list[str], NDArray[np.float64]]:
    """Texts and (n, 20) of 0 (below zero), 1 (zero), 2 (above)."""
    rows = [json.loads(line) for line in file.read_text().splitlines()][: most or None]
    ratings = np.array([row["ratings"] for row in rows], dtype=np.float64)
    return [row["text"] for row in rows], np.sign(ratings) + 1


def reference(said: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """What most of all raters say, and where that is no tie."""
    from workers.learning import quality

    everybody = quality.majority(said, n_classes=3)
    return everybody.labels, ~everybody.tied


def compare(
    said: NDArray[np.float64],
    x: NDArray[np.float32],
    everybody: NDArray[Any],
    settled: NDArray[np.bool_],
    *,
    raters: int,
    draws: int,
    seed: int,
) -> Rules:
    """Share of texts on which each rule says what all raters say, draw by draw. The rules are the project's own, and so
    are the probabilities: of heads that never saw the text, taught by the majority of the same few people."""
    from apps.quality.services import rules
    from workers.learning.heads.crossfit import out_of_fold_probabilities

    rng = np.random.default_rng(seed)
    out: Rules = {"majority": [], "dawid_skene": [], "crowdlab": []}
    for _ in range(draws):
        few = said[:, rng.choice(said.shape[1], raters, replace=False)]
        (most,) = rules.by_people(rules.Rule.MAJORITY, [few], 3)
        (people,) = rules.by_people(rules.Rule.DAWID_SKENE, [few], 3)
        first = most.probabilities.argmax(axis=1)
        p = out_of_fold_probabilities(x, first, n_classes=3, rng=np.random.default_rng(seed))
        both = rules.with_model(few, np.asarray(p, dtype=np.float64), people, np.ones(len(few), dtype=bool))
        for name, found in (("majority", most), ("dawid_skene", people), ("crowdlab", both)):
            out[name].append(float((found.labels == everybody)[settled].mean()))
    return out


def alphas(said: NDArray[np.float64]) -> tuple[float, float]:
    """Krippendorff's alpha as the page computes it from stored answers, and the library's of the plain table."""
    from apps.annotation.opinion_table import OpinionTable
    from apps.quality.agreement_figures import measure_of
    from workers.learning import quality

    n, m = said.shape
    stored = OpinionTable(
        kind="single",
        label_order=(11, 12, 13),
        items=np.repeat(np.arange(n), m),
        annotators=np.tile(np.arange(m), n),
        codes=said.astype(np.int64).ravel(),
        values=np.full(n * m, None, dtype=np.object_),
        at=np.zeros(n * m),
        reasons=np.full(n * m, "random"),
        annotations=np.arange(n * m),
    )
    page, library = measure_of("single", None)(stored), quality.krippendorff_alpha(said, n_classes=3)
    assert page.value is not None
    assert library.value is not None
    return page.value, library.value


def _vectors(args: argparse.Namespace, texts: list[str]) -> NDArray[np.float32]:
    if args.vectors and args.vectors.exists():
        return np.asarray(np.load(args.vectors), dtype=np.float32)[: len(texts)]
    from workers.learning import encoders

    x = np.asarray(encoders.load(args.encoder).encode(texts), dtype=np.float32)
    if args.vectors:
        np.save(args.vectors, x)
    return x
