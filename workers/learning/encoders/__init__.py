"""Texts to unit vectors, by one interface. Importing this costs nothing; torch is loaded by `load` alone."""

from .transformer import CHAR_NGRAMS, DEFAULT, Encoder, digest, dimension, load

__all__ = ["CHAR_NGRAMS", "DEFAULT", "Encoder", "digest", "dimension", "load"]
