"""Entry of the GPU worker: `python -m workers.gpu`. One process per GPU, one job at a time.

The pool is a single thread: the process answers `inspect` while a job runs, and CUDA, which cannot start in a
fork, is first touched by the job itself. Training goes on to a child process of its own.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def gpus(devices: Path = Path("/dev")) -> list[str]:
    """The GPUs this machine or container offers, as CUDA numbers them; told without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part.strip() for part in visible.split(",") if part.strip() not in {"", "-1"}]
    return [str(number) for number, _ in enumerate(devices.glob("nvidia[0-9]*"))]


def limit_threads(cpus: int) -> None:
    """As many compute threads as there are CPUs we may use; read by torch and BLAS when they load, in a job."""
    for name in THREAD_SETTINGS:
        os.environ.setdefault(name, str(cpus))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command(argv: Sequence[str]) -> list[str]:
    parser = argparse.ArgumentParser(prog="python -m workers.gpu", description=__doc__)
    parser.add_argument("--gpu", help="which GPU this process uses, as in CUDA_VISIBLE_DEVICES")
    options, rest = parser.parse_known_args(argv)
    if options.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.gpu
    name = f"gpu{options.gpu or ''}@%h"
    return [
        *("-q", "worker", "-Q", "gpu", "-n", name, "--pool", "threads", "--concurrency", "1"),
        *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
        *rest,
    ]


def main() -> None:
    arguments = command(sys.argv[1:])
    limit_threads(usable_cpus())
    from workers.app import app

    app.worker_main(arguments)


if __name__ == "__main__":
    main()
