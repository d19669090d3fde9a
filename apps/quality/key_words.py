"""What the keys of a list do, for static/js/rows.js; the keys themselves are the person's own."""

from typing import Any

from apps.accounts.keymap import ACTIONS, keymap_of
from apps.accounts.models import User

_NAMES = {action.name: action.words for action in ACTIONS}


def of_rows(user: User, *actions: str, moves: bool = True) -> dict[str, Any]:
    """`row_words` for the script, `row_keys` for the eye."""
    wanted = (*actions, "next", "previous") if moves else actions
    keys = keymap_of(user)
    shown = [(_shown(keys[name]), _NAMES[name]) for name in wanted] if user.single_keys else []
    return {"row_words": {name: str(_NAMES[name]) for name in wanted}, "row_keys": shown}


def _shown(key: str) -> str:
    return key.upper() if len(key) == 1 else key
