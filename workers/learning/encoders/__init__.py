"""Texts to unit vectors, by one interface. Importing this costs nothing; torch is loaded by `load` alone."""

from .backbone import in_precision
from .choice import Recommendation, recommend
from .parity import Held, Parity
from .runtimes import KINDS, Runtime
from .transformer import CHAR_NGRAMS, DEFAULT, Encoder, digest, dimension, load

__all__ = [
    "CHAR_NGRAMS",
    "DEFAULT",
    "KINDS",
    "Encoder",
    "Held",
    "Parity",
    "Recommendation",
    "Runtime",
    "digest",
    "dimension",
    "in_precision",
    "load",
    "recommend",
]
