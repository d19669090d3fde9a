"""How many threads a forward pass may use beside its neighbours."""

import os
from functools import lru_cache
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/cpu.max")  # "quota period" in microseconds, or "max period"


@lru_cache(maxsize=1)
def usable_cores() -> int:
    """The cores this process may run on, within the container's quota and what OMP_NUM_THREADS says. At least 1.

    OMP_NUM_THREADS is how whoever starts several workers on one machine divides it between them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if told.isdecimal() and int(told):
        cores = min(cores, int(told))
    return max(1, min(cores, _quota(CGROUP)))


def _quota(file: Path) -> int:
    try:
        quota, period = file.read_text(encoding="ascii").split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return 1 << 16
