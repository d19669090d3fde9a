"""What a key does. A person's own keys differ from the standard; what is not listed here is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Action:
    name: str
    key: str  # as KeyboardEvent.key says it; letters in lower case
    words: StrOrPromise


ACTIONS: tuple[Action, ...] = (
    Action("submit", "Enter", _("Submit and go on")),
    Action("accept", "a", _("Accept the suggestion")),
    Action("reject", "x", _("Reject the suggestion")),
    Action("skip", "s", _("Skip")),
    Action("undo", "z", _("Undo your last answer")),
    Action("next", "j", _("Next")),
    Action("previous", "k", _("Previous")),
    Action("flag", "f", _("Flag for others")),
    Action("comment", "c", _("Write a note")),
    Action("edit", "e", _("Edit")),
    Action("search", "/", _("Search or find a label")),
    Action("guidelines", "g", _("Show the guidelines")),
    Action("help", "?", _("Show the keys")),
)
STANDARD = {action.name: action.key for action in ACTIONS}
# digits choose labels (or are a label's own key), Ctrl+K opens the palette, the rest moves the focus
RESERVED = frozenset({*"0123456789", "Tab", "Escape", " ", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"})


def keymap_of(user: User) -> dict[str, str]:
    """Every action with the key this person uses for it."""
    own = user.keymap if isinstance(user.keymap, dict) else {}
    return STANDARD | {name: key for name, key in own.items() if name in STANDARD and isinstance(key, str)}
