"""Words of the triage pages: what a move was, how long something took, and what the scripts say."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.common.numbers import bracketed, listed
from apps.feedback import transitions
from apps.feedback.models import Ticket, TicketMove

_DONE: dict[str, Promise] = {
    "accept": gettext_lazy("accepted"),
    "duplicate": gettext_lazy("marked as a duplicate"),
    "dismiss": gettext_lazy("dismissed"),
    "snooze": gettext_lazy("snoozed"),
    "assign": gettext_lazy("assigned"),
    "reopen": gettext_lazy("reopened"),
    "undo": gettext_lazy("taken back"),
    "look": gettext_lazy("looked at"),
    "label": gettext_lazy("labelling has begun"),
    "confirm": gettext_lazy("annotators agree: the complaint is right"),
    "fix": gettext_lazy("fixed"),
    "regress": gettext_lazy("came back"),
    "wake": gettext_lazy("woke up"),
}


def done(action: str) -> str:
    return str(_DONE.get(action, action))


def log(move: TicketMove) -> str:
    """One line of a ticket's history: “Dana: dismissed (spam)”."""
    what = done(move.action) + _more(move)
    return _("%(name)s: %(what)s") % {"name": move.by, "what": what} if move.by else what


def _more(move: TicketMove) -> str:
    after = move.data.get("after", {})
    if move.action == "dismiss" and after.get("dismissal") in Ticket.Dismissal.values:
        return bracketed(Ticket.Dismissal(after["dismissal"]).label)
    if move.action == "snooze":
        return bracketed(snoozed(_when(after.get("snoozed_until")), after.get("snoozed_reach")))
    if move.action in {"fix", "regress"} and move.data.get("version"):
        return bracketed(f"v{move.data['version']}")
    if move.action == "undo" and move.data.get("of"):
        return bracketed(done(move.data["of"]))
    return ""


def _when(given: str | None) -> datetime | None:
    return datetime.fromisoformat(given) if given else None


def snoozed(until: datetime | None, reach: int | None) -> str:
    said = []
    if until:
        said.append(_("until %(day)s") % {"day": date_format(timezone.localtime(until), "DATE_FORMAT")})
    if reach:
        said.append(ngettext("until %(n)d person is reached", "until %(n)d people are reached", reach) % {"n": reach})
    return listed(said)


def span(between: timedelta) -> str:
    """2 d, 4 h, 12 min: the largest unit that is not zero, a minute at least."""
    minutes = max(1, int(between.total_seconds() // 60))
    if minutes >= 2 * 24 * 60:
        return _("%(n)d d") % {"n": minutes // (24 * 60)}
    if minutes >= 60:
        return _("%(n)d h") % {"n": minutes // 60}
    return _("%(n)d min") % {"n": minutes}


def clock(ticket: Ticket) -> str:
    """How long it has waited, or how it went."""
    now = timezone.now()
    if ticket.state in Ticket.WAITING:
        return _("waits %(span)s") % {"span": span(now - ticket.state_at)}
    return _("since %(span)s") % {"span": span(now - ticket.state_at)}


def first_look(ticket: Ticket) -> str:
    if ticket.looked_at is None:
        return _("nobody has looked yet")
    return _("looked at after %(span)s") % {"span": span(ticket.looked_at - ticket.created_at)}


def script() -> dict[str, Any]:
    """Sentences that the page's scripts say; here, so that the catalogue translates them."""
    return {
        "saved": _("saved ✓"),
        "saving": _("saving …"),
        "unsent": _("{n} unsent"),
        "kept": _("The server does not answer. What you decided is kept here and goes out as soon as it does."),
        "signedOut": _("You have been signed out. What you decided is kept here; sign in again and it goes out."),
        "signIn": _("Sign in (new tab)"),
        "tryAgain": _("I have signed in: send it"),
        "nothingToUndo": _("There is nothing of yours to take back."),
        "undone": _("Taken back. Ticket {number} is here again."),
        "undoneMany": _("Taken back. {n} tickets are here again."),
        "next": _("Ticket {number}."),
        "end": _("This is the last ticket in the list."),
        "start": _("This is the first ticket in the list."),
        "selected": _("{n} selected"),
        "noneSelected": _("Nothing selected"),
        "fresh": _("{n} new"),
        "freshHeard": _("{n} new tickets. They are not shown yet."),
        "shown": _("New tickets are in the list now."),
        "moved": _("Ticket {number}. {words}"),
        "empty": _("No ticket waits any more."),
        "session": _("{n} decided in this sitting"),
        "loading": _("The rest of this ticket is on its way …"),
        "notAllowed": _("This ticket is “{state}”: that cannot be done to it from there."),
        "someStay": _("{n} of them stay where they are: that cannot be done to them from their state."),
        "acts": {str(state): list(transitions.actions(state)) for state in Ticket.State.values},
        "done": {
            "accept": _("Ticket {number} accepted."),
            "duplicate": _("Ticket {number} is a duplicate."),
            "dismiss": _("Ticket {number} dismissed."),
            "snooze": _("Ticket {number} snoozed."),
            "assign": _("Ticket {number} assigned."),
            "reopen": _("Ticket {number} reopened."),
        },
        "doneMany": {
            "accept": _("{n} tickets accepted."),
            "duplicate": _("{n} tickets are duplicates."),
            "dismiss": _("{n} tickets dismissed."),
            "snooze": _("{n} tickets snoozed."),
            "assign": _("{n} tickets assigned."),
            "reopen": _("{n} tickets reopened."),
        },
        "titles": {
            "dismiss": _("Dismiss ticket {number}: why?"),
            "duplicate": _("Ticket {number} is a duplicate of …"),
            "snooze": _("Snooze ticket {number}"),
            "assign": _("Give ticket {number} to …"),
        },
        "titlesMany": {
            "dismiss": _("Dismiss {n} tickets: why?"),
            "duplicate": _("{n} tickets are duplicates of …"),
            "snooze": _("Snooze {n} tickets"),
            "assign": _("Give {n} tickets to …"),
        },
        "keys": {
            "triage_accept": _("Accept: ask people what is right"),
            "triage_duplicate": _("Duplicate of another ticket"),
            "triage_dismiss": _("Dismiss, with a reason"),
            "triage_snooze": _("Snooze"),
            "triage_assign": _("Assign"),
            "triage_select": _("Select or unselect"),
            "triage_all": _("Select all that are shown"),
            "triage_open": _("Open the ticket to read"),
            "triage_fresh": _("Show the new tickets"),
            "next": _("Next ticket; with Shift select on the way"),
            "previous": _("Previous ticket"),
            "undo": _("Take the last decision back"),
            "search": _("Search"),
            "leave": _("Clear the selection, or back to the list"),
        },
    }
