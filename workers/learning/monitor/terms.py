"""Words and phrases of a text in any script: n-grams of words, and of characters where words have no spaces."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['’-][^\W_{_CJK}]+)*|[.!?;:,。！？；：，、\n]")
_IS_CJK = re.compile(f"[{_CJK}]")
# too frequent to tell anything when they stand alone or at the edge of a phrase
_STOP = """
a about after all also am an and any are as at be because been but by can can't cannot could did do does doing
don't for from get got had has have having he her him his how i i'd i'll i'm i've if in into is isn't it it's
its just me my no not of on one or our out over please she so some still than that the their them then there
they this those to too up us very was wasn't we were what what's when where which who why will with would you
your
"""
STOP = frozenset(_STOP.split())
STOP_CJK = frozenset("的了是我也都就在有很和不还啊吧呢吗他她它这那你们个上下")


def terms(text: str, longest: int = 3) -> set[str]:
    """Phrases of one to `longest` words that begin and end with a telling one; none reaches across punctuation.

    In Chinese and Japanese runs: two to `longest` + 1 characters.
    """
    found: set[str] = set()
    words: list[str] = []
    for run in _RUN.findall(text.casefold()):
        if run[0].isalnum() and not _IS_CJK.match(run):
            words.append(run.replace("’", "'"))
            continue
        found |= _phrases(words, longest)
        words = []
        if _IS_CJK.match(run):
            found |= {
                run[at : at + size]
                for size in range(2, longest + 2)
                for at in range(len(run) - size + 1)
                if run[at] not in STOP_CJK and run[at + size - 1] not in STOP_CJK
            }
    return found | _phrases(words, longest)


def _phrases(words: Sequence[str], longest: int) -> set[str]:
    return {
        " ".join(words[at : at + size])
        for size in range(1, longest + 1)
        for at in range(len(words) - size + 1)
        if words[at] not in STOP and words[at + size - 1] not in STOP and not words[at].isdecimal()
    }


def counts(texts: Iterable[str], longest: int = 3) -> Counter[str]:
    """In how many texts each phrase occurs: one text that repeats itself counts once."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(terms(text, longest))
    return found


def without_parts(ranked: Sequence[str], weight: Counter[str], most: int) -> list[str]:
    """The first `most`, each said at full length: a phrase that hardly occurs outside a longer one gives way to it."""
    kept: list[str] = []
    for term in ranked:
        if len(kept) == most:
            break
        longer = [other for other in ranked if _within(term, other) and _alike(weight[term], weight[other])]
        best = max(longer, key=len)  # itself at least
        if not any(
            (_within(best, other) or _within(other, best)) and _alike(weight[best], weight[other]) for other in kept
        ):
            kept.append(best)
    return kept


def _within(part: str, whole: str) -> bool:
    return f" {part} " in f" {whole} " or (bool(_IS_CJK.search(part)) and part in whole)


def _alike(one: int, other: int) -> bool:
    return min(one, other) >= 0.6 * max(one, other)
