"""A whole project over the HTTP API, with annotators who answer from the file's labels.

The test file goes in as held-out content, so the product's own learning curve is the accuracy on the test file.
After every few answers the live head is waited for: a person takes seconds for what this program does in
milliseconds, and the queue a person sees has been re-ordered by then.
"""

import argparse
import csv
import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.bench.server import product

ROUND = 5  # answers between two looks at the queue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", type=Path, required=True, help="CSV or JSONL: the pool that annotators label")
    parser.add_argument("--test", type=Path, required=True, help="CSV or JSONL: held out, only measures")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--labels", type=int, default=800)
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--random-share", type=float, default=None, help="as the project's default when not given")
    parser.add_argument("--train-kind", choices=["head", "transformer"], default="head")
    parser.add_argument("--seed", type=int, default=0)


def read(path: Path, text: str, label: str) -> Iterator[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = (json.loads(line) for line in file if line.strip()) if path.suffix == ".jsonl" else csv.DictReader(file)
        for row in rows:
            if row[text].strip():
                yield row[text], str(row[label])


class Api:
    """The project's corner of /api/v1/, and nothing that is not public."""

    def __init__(self, base: str, token: str) -> None:
        self.base = f"{base}/api/v1/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **given: Any) -> Any:
        answer = self.session.request(method, self.base + path, timeout=120, **given)
        if not answer.ok:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def wait(self, what: str, path: str, until: Any, patience: float = 1800) -> Any:
        deadline = time.monotonic() + patience
        while not until(found := self.call("GET", path)):
            if time.monotonic() > deadline:
                raise SystemExit(f"gave up waiting for {what}: {str(found)[:300]}")
            time.sleep(0.05)
        return found


def run(args: argparse.Namespace) -> dict[str, Any]:
    pool = list(read(args.train, args.text_col, args.label_col))
    test = list(read(args.test, args.text_col, args.label_col))
    with product() as server:
        api = Api(server.url, server.token)
        started = time.monotonic()
        slug, labels = set_up(api, args, sorted({label for _text, label in [*pool, *test]}))
        import_all(api, slug, pool, test)
        answer(api, slug, args.labels, {f"pool-{i}": label for i, (_text, label) in enumerate(pool)}, labels)
        curve = [
            [point["n_labels"], round(point["accuracy"], 4)] for point in api.call("GET", f"projects/{slug}/curve/")
        ]
        promoted = train_and_promote(api, slug, args.train_kind, args.seed)
        return {
            "labels": args.labels,
            "head_accuracy": curve[-1][1],
            "promoted_accuracy": promoted,
            "curve": curve,
            "pool": len(pool),
            "test": len(test),
            "seconds": round(time.monotonic() - started, 1),
        }


def set_up(api: Api, args: argparse.Namespace, names: list[str]) -> tuple[str, dict[str, int]]:
    wish = {"name": f"Simulation of {args.train.stem}", "encoder": args.encoder, "seed": args.seed}
    # the test file is the hold-out; nothing of the pool is set aside beside it
    wish |= {"holdout_fraction": 0.0}
    if args.random_share is not None:
        wish["random_share"] = args.random_share
    slug = api.call("POST", "projects/", json=wish | {"labels": names})["slug"]
    found = api.call("GET", f"projects/{slug}/labels/")["results"]
    labels = {label["name"]: label["id"] for label in found}
    return slug, labels


def import_all(api: Api, slug: str, pool: list[tuple[str, str]], test: list[tuple[str, str]]) -> None:
    with tempfile.NamedTemporaryFile("w+", suffix=".jsonl", encoding="utf-8") as file:
        for i, (text, _hidden) in enumerate(pool):
            file.write(json.dumps({"id": f"pool-{i}", "text": text, "split": "pool", "label": ""}) + "\n")
        for i, (text, label) in enumerate(test):
            file.write(json.dumps({"id": f"test-{i}", "text": text, "split": "holdout", "label": label}) + "\n")
        file.seek(0)
        mapping = {"text": "text", "external_id": "id", "split": "split", "label": "label"}
        job = api.call(
            "POST",
            f"projects/{slug}/imports/",
            files={"file": ("content.jsonl", file.read().encode(), "application/jsonl")},
            data={"mapping": json.dumps(mapping)},
        )
    done = api.wait(
        "the import", f"projects/{slug}/imports/{job['id']}/", lambda found: found["state"] not in ("queued", "running")
    )
    print(
        f"imported {done['rows_added']:,} of {done['rows_read']:,} rows ({done['rows_skipped']:,} rejected)", flush=True
    )
    api.wait("the vectors", f"projects/{slug}/encoding/", lambda found: found["done"] and found["finished"])


def answer(api: Api, slug: str, wanted: int, truth: dict[str, str], labels: dict[str, int]) -> None:
    at = f"projects/{slug}/"
    leases: list[dict[str, Any]] = []
    deadline = time.monotonic() + 120
    while (
        not leases or leases[0]["reason"] != "cold_start"
    ):  # the first typical items are chosen as soon as vectors are there
        leases = api.call("POST", at + "claim/", json={"ahead": 1})["leases"]
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for done in range(1, wanted + 1):
        lease = leases[0]
        given = {
            "token": lease["token"],
            "key": str(uuid.uuid4()),
            "label": labels[truth[lease["external_id"]]],
            "seconds": 2.0,
        }
        leases = api.call("POST", at + "submit/", json=given)["next"]
        if done % ROUND == 0 or done == wanted:
            api.wait("the live head", at + "curve/", lambda points, n=done: points and points[-1]["n_labels"] >= n - 1)
        if done % 50 == 0:
            point = api.call("GET", at + "curve/")[-1]
            print(f"{done:>6} labels  {point['accuracy']:.3f}", flush=True)


def train_and_promote(api: Api, slug: str, kind: str, seed: int) -> float:
    at = f"projects/{slug}/"
    run = api.call("POST", at + "runs/", json={"kind": kind, "seed": seed, "leave_out": True})
    ended = api.wait("the run", f"{at}runs/{run['id']}/", lambda found: found["state"] not in ("queued", "running"))
    if ended["state"] != "succeeded":
        raise SystemExit(f"the run {ended['state']}: {ended['error']}")
    api.call("POST", at + "promote/", json={"version": ended["version"], "why": "simulation"})
    version = api.call("GET", f"{at}versions/{ended['version']}/")
    if not version["live"]:
        raise SystemExit("the promoted version is not live")
    return round(version["evaluation"]["accuracy"], 4)
