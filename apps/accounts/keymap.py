"""What a key does. A person's own keys differ from the standard; what is not listed here is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.accounts.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Action:
    name: str
    key: str  # as KeyboardEvent.key says it; letters in lower case
    words: StrOrPromise
    place: str = ""  # the page it belongs to, empty for all; keys of two pages may be the same


LABEL, TRIAGE, REVIEW, SIMILAR, ITEMS, ADJUDICATE = "label", "triage", "review", "similar", "items", "adjudicate"
PLACES = {
    LABEL: pgettext_lazy("to do", "Label"),
    TRIAGE: _("Triage"),
    REVIEW: _("Review"),
    SIMILAR: _("Similar"),
    ITEMS: _("Items"),
    ADJUDICATE: _("Adjudicate"),
}
ACTIONS: tuple[Action, ...] = (
    Action("undo", "z", _("Undo your last answer")),
    Action("next", "j", _("Next")),
    Action("previous", "k", _("Previous")),
    Action("search", "/", _("Search or find a label")),
    Action("help", "?", _("Show the keys")),
    Action("submit", "Enter", _("Submit and go on"), LABEL),
    Action("accept", "a", _("Accept the suggestion"), LABEL),
    Action("reject", "x", _("Reject the suggestion"), LABEL),
    Action("skip", "s", _("Skip"), LABEL),
    Action("flag", "f", _("Flag for others"), LABEL),
    Action("comment", "c", _("Write a note"), LABEL),
    Action("guidelines", "g", _("Show the guidelines"), LABEL),
    Action("none", "-", _("None of these labels"), LABEL),
    Action("undecided", "u", _("Cannot decide"), LABEL),
    Action("thread", "t", _("Write in the thread"), LABEL),
    Action("source", "o", _("Open the source of the text"), LABEL),
    Action("finish", "q", _("End the session"), LABEL),
    Action("triage_accept", "1", _("Accept the ticket"), TRIAGE),
    Action("triage_duplicate", "2", _("Duplicate of another ticket"), TRIAGE),
    Action("triage_dismiss", "3", _("Dismiss the ticket"), TRIAGE),
    Action("triage_snooze", "h", _("Snooze the ticket"), TRIAGE),
    Action("triage_assign", "e", _("Assign the ticket"), TRIAGE),
    Action("triage_select", "x", _("Select the ticket"), TRIAGE),
    Action("triage_all", "a", _("Select all tickets shown"), TRIAGE),
    Action("triage_open", "o", _("Open the ticket to read"), TRIAGE),
    Action("triage_fresh", "n", _("Show the new tickets"), TRIAGE),
    Action("review_approve", "a", _("Right as it is"), REVIEW),
    Action("review_fix", "e", _("Put it right yourself"), REVIEW),
    Action("review_reject", "x", _("Send it back to its author"), REVIEW),
    Action("review_gold", "g", _("Make it gold"), REVIEW),
    Action("similar_check", "x", _("Check or uncheck the text"), SIMILAR),
    Action("similar_all", "a", _("Check all texts, or none"), SIMILAR),
    Action("items_select", "x", _("Select the item"), ITEMS),
    Action("items_all", "a", _("Select all items shown"), ITEMS),
    Action("items_open", "o", _("Open the item"), ITEMS),
    Action("adjudicate_edit", "e", _("Give an answer of your own"), ADJUDICATE),
    Action("adjudicate_back", "b", _("Send it back with a comment"), ADJUDICATE),
    Action("adjudicate_skip", "s", _("Leave it for later"), ADJUDICATE),
    Action("adjudicate_guide", "g", _("What the labels mean"), ADJUDICATE),
)
STANDARD = {action.name: action.key for action in ACTIONS}
DIGITS, BRACKETS = frozenset("0123456789"), frozenset("[]")
LABEL_KEYS = BRACKETS | {action.key for action in ACTIONS if action.place in {"", LABEL}}
# digits choose labels (or are a label's own key), brackets lead from span to span, the rest moves the focus
RESERVED = frozenset({*DIGITS, *BRACKETS, "Tab", "Escape", " ", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"})


def keymap_of(user: User) -> dict[str, str]:
    """Every action with the key this person uses for it."""
    own = user.keymap if isinstance(user.keymap, dict) else {}
    return STANDARD | {name: key for name, key in own.items() if name in STANDARD and isinstance(key, str)}


def reserved_for(action: Action) -> frozenset[str]:
    """Digits and brackets mean something on the label page and on that of adjudication, and are free elsewhere."""
    return RESERVED if action.place in {"", LABEL, ADJUDICATE} else RESERVED - DIGITS - BRACKETS
