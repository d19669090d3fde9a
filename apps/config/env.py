"""Settings from the environment: typed, registered, refused in words when wrong.

Every name read here is remembered in NAMES, so that a test can demand it in README and .env.example.
"""

import os
from pathlib import Path

NAMES: set[str] = set()


class BadSetting(Exception):
    """A setting that would be unsafe or cannot be read; the text tells the operator what to do."""


def text(name: str, default: str = "") -> str:
    NAMES.add(name)
    return os.environ.get(name, default).strip() or default


def flag(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(f"{name} must be yes or no, not {value!r}.")


def number(name: str, default: int, *, least: int = 0) -> int:
    value = text(name)
    if not value:
        return default
    if not value.isdigit() or int(value) < least:
        raise BadSetting(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def names(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def secret(name: str) -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to."""
    NAMES.add(f"{name}_FILE")
    path = os.environ.get(f"{name}_FILE", "").strip()
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise BadSetting(f"{name}_FILE points to {path}, which cannot be read: {error.strerror}.") from error
    return text(name)
