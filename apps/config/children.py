"""Starting child processes that cannot outlive their parent."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

SERVICE_USER = "marginalia"
_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int, death: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def arrange() -> None:
        # runs after the change of user, which would clear the request
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(death))
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return arrange


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: pwd.struct_passwd | None = None,
    output: int | IO[bytes] = subprocess.DEVNULL,
    death: signal.Signals = signal.SIGTERM,
    nice: int = 0,
) -> subprocess.Popen[bytes]:
    """A child in a session of its own: Ctrl-C reaches only the parent, which then stops all in order.

    Linux ties the death signal to the thread that forks, so call this from the main thread.
    """
    arrange = _die_with_parent(os.getpid(), death)

    def before_exec() -> None:
        arrange()
        if nice:
            os.nice(nice)

    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=before_exec,  # noqa: PLW1509 - safe, because no parent of ours has threads
        **as_user(user),
    )


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """What subprocess needs to run something as that user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def service_user() -> pwd.struct_passwd | None:
    """Whom the embedded servers run as: ourselves, but never root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    for name in (SERVICE_USER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            if name == SERVICE_USER and _make_user(name):
                return pwd.getpwnam(name)
    raise RuntimeError("Run as an ordinary user, or create one: useradd --system marginalia")


def _make_user(name: str) -> bool:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def own_folder(folder: Path, user: pwd.struct_passwd | None) -> Path:
    """A private folder of the service user, which it can reach: parents become passable (not readable)."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    give(folder, user)
    if user is not None:
        make_passable(folder)
    return folder


def give(path: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def make_passable(path: Path) -> None:
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def make_readable(tree: Path) -> None:
    """Programs installed under a strict umask, readable by the service user too."""
    make_passable(tree)
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = mode | (0o005 if mode & 0o100 else 0o004)
        if wanted != mode:
            path.chmod(wanted)
