"""How a project names an encoder: a base and, after a question mark, what must be known besides.

    minilm-l6
    intfloat/multilingual-e5-small?prefix=query:%20&pooling=mean
    /models/qwen3-embedding?pooling=last&max_length=128&precision=bf16

Everything in the name decides the vectors and is therefore part of the encoder's digest.
"""

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args
from urllib.parse import parse_qsl, quote

from ..types import LearningError

Pooling = Literal["mean", "cls", "last", "max"]
Precision = Literal["fp32", "bf16", "int8"]

T = TypeVar("T", bound=str)
OPTIONS = ("prefix", "prompt", "pooling", "max_length", "precision")


@dataclass(frozen=True, slots=True)
class Name:
    base: str
    prefix: str | None = None  # put before every text; None means what the model's own files say
    prompt: str | None = None  # name of one of the prompts in config_sentence_transformers.json
    pooling: Pooling | None = None  # None means what the model's own files say
    max_length: int | None = None  # tokens
    precision: Precision = "fp32"

    def __str__(self) -> str:
        values = {
            "prefix": self.prefix,
            "prompt": self.prompt,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "precision": None if self.precision == "fp32" else self.precision,
        }
        options = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in values.items() if value is not None)
        return f"{self.base}?{options}" if options else self.base


def parse(name: str) -> Name:
    """Raises LearningError in words for an option that does not exist or a value that it cannot have."""
    base, _, query = name.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if not base.strip():
        raise LearningError("An encoder needs a name.")
    if unknown := sorted(set(given) - set(OPTIONS)):
        raise LearningError(f"The encoder “{name}” has options that do not exist: {', '.join(unknown)}.")
    if "prefix" in given and "prompt" in given:
        raise LearningError("An encoder takes a prefix or the name of a prompt, not both.")
    return Name(
        base=base.strip(),
        prefix=given.get("prefix"),
        prompt=given.get("prompt"),
        pooling=_one_of(given, "pooling", get_args(Pooling)),
        max_length=_length(given.get("max_length")),
        precision=_one_of(given, "precision", get_args(Precision)) or "fp32",
    )


def _one_of(given: dict[str, str], key: str, allowed: tuple[T, ...]) -> T | None:
    value = given.get(key)
    if value is None:
        return None
    found = next((one for one in allowed if one == value), None)
    if found is None:
        raise LearningError(f"The {key} of an encoder is {', '.join(allowed)}; not “{value}”.")
    return found


def _length(value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdecimal() or int(value) < 4:
        raise LearningError("The max_length of an encoder is a number of tokens, at least 4.")
    return int(value)
