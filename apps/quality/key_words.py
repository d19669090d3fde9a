"""What the keys of a list do, for static/js/rows.js; the keys themselves are the person's own."""

from collections.abc import Iterable

from apps.accounts.keymap import ACTIONS

_NAMES = {action.name: action.words for action in ACTIONS}


def words_of(*actions: str, moves: bool = True) -> dict[str, str]:
    wanted: Iterable[str] = (*actions, "next", "previous") if moves else actions
    return {name: str(_NAMES[name]) for name in wanted}
