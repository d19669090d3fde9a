"""A file through HTTP to the last item: upload, checks, de-duplication, merge. Beside it, a bare COPY of the same rows.

The encoder's worker is held still meanwhile: it would take a core for work that is not the import's.
"""

import argparse
import csv
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from tests.bench.server import ROOT, Product, product

DEMO = ROOT / "apps" / "config" / "demo" / "banking77.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=200_000, help="rows to make from real bank questions")
    parser.add_argument("--file", type=Path, help="a file of your own instead")
    parser.add_argument("--encode", action="store_true", help="let the encoder run beside the import")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product() as server:
        path = args.file or made(server.home / "questions.csv", args.items)
        with still(server, "workers.gpu" if not args.encode else ""), watched(server) as peak:
            seconds, job = imported(server, path)
        items_per_s = round(job["rows_read"] / seconds)
        copied = raw_copy(server)
        return {
            "rows": job["rows_read"],
            "added": job["rows_added"],
            "rejected_rows": job["rows_skipped"],
            "megabytes": round(path.stat().st_size / 1e6, 1),
            "seconds": round(seconds, 2),
            "items_per_s": items_per_s,
            "raw_copy_items_per_s": copied,
            "import_over_raw_copy": round(items_per_s / copied, 3),
            "peak_rss_mb": round(max(peak.values()) / 1e6, 1),
            "peak_rss_of": max(peak, key=lambda name: peak[name]),
        }


def made(path: Path, number: int) -> Path:
    """Real questions, each told apart by its number; one in a thousand is broken in some way."""
    with DEMO.open(newline="", encoding="utf-8") as file:
        questions = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "text", "label", "channel"])
        for n in range(number):
            text, label = questions[n % len(questions)]
            text = "" if n % 1000 == 999 else f"{text} ({n})"
            writer.writerow([f"q{n}", text, label, ("mail", "chat", "phone")[n % 3]])
    return path


def imported(server: Product, path: Path) -> tuple[float, dict[str, Any]]:
    """From the first byte sent to the job's end, as a client sees it."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {server.token}"
    base = f"{server.url}/api/v1/projects/"
    answer = session.post(base, json={"name": "Import bench", "encoder": "char-ngrams"}, timeout=60)
    answer.raise_for_status()
    base += answer.json()["slug"] + "/imports/"
    started = time.monotonic()
    with path.open("rb") as file:
        answer = session.post(base, files={"file": (path.name, file)}, data={"mapping": '"guess"'}, timeout=600)
    answer.raise_for_status()
    print(f"uploaded in {time.monotonic() - started:.1f} s", flush=True)
    while True:
        job = session.get(f"{base}{answer.json()['id']}/", timeout=60).json()
        if job["state"] not in {"queued", "running"}:
            break
        time.sleep(0.2)
    seconds = time.monotonic() - started
    if job["state"] != "succeeded":
        raise SystemExit(f"the import ended as {job['state']}: {job['error']}")
    return seconds, job


def raw_copy(server: Product) -> int:
    """The very rows that are in now, into a bare table by COPY, out of prepared blocks."""
    columns = "project_id, external_id, text, text_hash, split, language, subject, meta, source_id, created_at"
    with psycopg.connect((server.home / "run" / "database.url").read_text().strip(), autocommit=True) as database:
        database.execute("CREATE TABLE bench_raw (LIKE content_item INCLUDING DEFAULTS INCLUDING IDENTITY)")
        with database.cursor().copy(f"COPY (SELECT {columns} FROM content_item) TO STDOUT") as copy:
            lines = [bytes(block) for block in copy]
        blocks = [b"".join(lines[n : n + 1000]) for n in range(0, len(lines), 1000)]
        started = time.monotonic()
        with database.cursor().copy(f"COPY bench_raw ({columns}) FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        seconds = time.monotonic() - started
        database.execute("DROP TABLE bench_raw")
    return round(len(lines) / seconds)


def of(server: Product, words: str) -> Iterator[psutil.Process]:
    """Processes of the tree whose command line holds these words, with their children."""
    for process in psutil.Process(server.pid).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()):
                yield process
                yield from process.children(recursive=True)
        except psutil.Error:
            continue


@contextmanager
def still(server: Product, words: str) -> Iterator[None]:
    held = list(of(server, words)) if words else []
    for process in held:
        process.suspend()
    try:
        yield
    finally:
        for process in held:
            process.resume()


@contextmanager
def watched(server: Product) -> Iterator[dict[str, int]]:
    """The most memory that any one process of the web server and of the default worker held, in bytes."""
    peak = {"web": 0, "worker": 0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            for name, words in (("web", "granian"), ("worker", "-Q default")):
                peak[name] = max([peak[name], *(_memory(process) for process in of(server, words))])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
