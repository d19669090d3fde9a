"""The data folder (MARGINALIA_HOME): its key, its lock, and the notes that say where a running tree is."""

import fcntl
import os
import secrets
from pathlib import Path


class AlreadyRunning(Exception):
    pass


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)

    def lock(self, role: str) -> int:
        """Held by the kernel as long as this process lives, so a killed one leaves nothing stale."""
        descriptor = os.open(self.run / f"{role}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyRunning(self._where()) from error
        return descriptor

    def _where(self) -> str:
        pid, url = self.read("pid"), self.read("web.url")
        process = f" (process {pid})" if pid else ""
        return f"Marginalia runs already{process} at {url}." if url else f"Marginalia is starting already{process}."

    def read(self, name: str) -> str:
        path = self.run / name
        return path.read_text().strip() if path.exists() else ""

    def note(self, name: str, content: str) -> None:
        """Written aside and renamed: a reader sees all of it or nothing. Addresses hold passwords, hence 0600."""
        path = self.run / name
        aside = path.with_name(f".{name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content + "\n")
        aside.replace(path)

    def forget(self, *names: str) -> None:
        for name in names:
            (self.run / name).unlink(missing_ok=True)

    def secret_key(self) -> str:
        path = self.folder / "secret-key"
        return path.read_text().strip() if path.exists() else ""

    def make_secret_key(self) -> bool:
        """A key of this installation's own on its first start; never a default one."""
        path = self.folder / "secret-key"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64) + "\n")
        return True
