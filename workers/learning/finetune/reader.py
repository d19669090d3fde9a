"""From texts to tokens, for models that answer once a text and for those that answer at every word. No torch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import LearningError
from . import spans

SHORTEST = 16  # tokens; a cap below this would cut words, not texts


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of one text, ready for a span model."""

    text: int  # which text
    ids: list[int]  # tokens, special ones included
    firsts: list[int]  # where in `ids` each unit is read
    units: tuple[int, ...]  # which units of the text those are


@dataclass(slots=True)
class Reader:
    tokenizer: Any
    max_length: int  # tokens, special ones included
    prefix: str = ""  # in front of every text, as the encoder was trained

    def tokenise(self, texts: list[str]) -> list[list[int]]:
        """Token ids of every text, special ones included, cut at `max_length`."""
        return self._ids(texts, truncation=True, max_length=self.max_length)

    def _ids(self, texts: list[str], **options: Any) -> list[list[int]]:
        if not texts:  # an empty list is refused by the tokeniser
            return []
        given = [self.prefix + text for text in texts] if self.prefix else texts
        ids: list[list[int]] = self.tokenizer(given, return_attention_mask=False, **options)["input_ids"]
        return ids

    def cap_length(self, texts: list[str], max_length: int = 0) -> float:
        """Cut texts at `max_length` tokens, or at the 99th percentile of these texts when it is 0; never beyond what
        the encoder can read. The share of the texts that loses something."""
        lengths = [len(ids) for ids in self._ids(texts)]
        if not lengths:
            return 0.0
        wanted = max_length or math.ceil(float(np.percentile(lengths, 99)))
        self.max_length = max(min(SHORTEST, self.max_length), min(self.max_length, wanted))
        return float(np.mean([length > self.max_length for length in lengths]))

    def cut(self, texts: list[str]) -> tuple[list[Piece], list[list[spans.Unit]]]:
        """Windows of every text, and the units of every text that tags are told for."""
        if not texts:
            return [], []
        if not self.tokenizer.is_fast:
            raise LearningError("This tokeniser does not say where its tokens lie. Choose another encoder for spans.")
        head, tail = self._specials()
        size = self.max_length - len(head) - len(tail)
        pieces: list[Piece] = []
        units = []
        for i, (ids, mine) in enumerate(self._aligned(texts)):
            units.append(mine)
            for w in spans.windows(mine, len(ids), size):
                firsts = [len(head) + mine[u].token - w.start for u in w.units]
                pieces.append(Piece(i, [*head, *ids[w.start : w.end], *tail], firsts, w.units))
        return pieces, units

    def _aligned(self, texts: list[str]) -> list[tuple[list[int], list[spans.Unit]]]:
        """Tokens and units of every text. Where one token runs over several words (an unknown run of emoji and letters,
        two Han characters), the text is cut between them and read again, so that each word can have its own tag."""
        bounds = [spans.words(text) for text in texts]
        out, cuts = [], {}
        for i, (ids, offsets) in enumerate(self._offsets(texts)):
            units, shared = spans.align(bounds[i], offsets)
            out.append((ids, units))
            if shared:
                cuts[i] = [0, *shared, len(texts[i])]
        parts = iter(self._offsets([texts[i][a:b] for i, at in cuts.items() for a, b in pairwise(at)]))
        for i, at in cuts.items():
            ids, offsets = [], []
            for start, (more, places) in zip(at[:-1], parts, strict=False):
                ids += more
                offsets += [(start + a, start + b) for a, b in places]
            out[i] = ids, spans.align(bounds[i], offsets)[0]
        return out

    def _offsets(self, texts: list[str]) -> Iterator[tuple[list[int], list[spans.Bounds]]]:
        if not texts:
            return iter(())
        read = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False)
        return zip(read["input_ids"], read["offset_mapping"], strict=True)

    def _specials(self) -> tuple[list[int], list[int]]:
        """What the tokeniser puts in front of a text and behind it."""
        read = self.tokenizer("a", return_special_tokens_mask=True)
        ids, special = read["input_ids"], read["special_tokens_mask"]
        if 0 not in special:
            raise LearningError("This encoder's tokeniser cannot read Latin letters.")
        first, last = special.index(0), len(special) - special[::-1].index(0)
        return ids[:first], ids[last:]


Tagged = tuple[NDArray[np.float32], list[spans.Unit]]  # logits (units, 1 + 2k) of one text, and its units


def assembled(
    pieces: Sequence[Piece], units: list[list[spans.Unit]], logits: Sequence[NDArray[np.float32]], width: int
) -> list[Tagged]:
    """Windows put together again: for every text the logits of its units (u, width)."""
    out = [np.zeros((len(mine), width), dtype=np.float32) for mine in units]
    for piece, part in zip(pieces, logits, strict=True):
        out[piece.text][list(piece.units)] = part
    return list(zip(out, units, strict=True))
