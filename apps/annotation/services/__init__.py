from apps.annotation.services.answers import Answer, Conflict, Submitted, revise, submit, undo
from apps.annotation.services.asking import ask
from apps.annotation.services.handout import AHEAD, claim, renew, skip, sweep
from apps.annotation.services.intake import take_in
from apps.annotation.services.overlap import follow_overlap
from apps.annotation.services.top import TopChoice, set_top

__all__ = [
    "AHEAD",
    "Answer",
    "Conflict",
    "Submitted",
    "TopChoice",
    "ask",
    "claim",
    "follow_overlap",
    "renew",
    "revise",
    "set_top",
    "skip",
    "submit",
    "sweep",
    "take_in",
    "undo",
]
