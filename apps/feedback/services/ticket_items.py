"""The item that annotators see for a ticket: the one it is about, one with the same text, or a new one."""

from django.utils.translation import gettext as _

from apps.common.errors import DomainError
from apps.content import services as content
from apps.content.models import Item
from apps.feedback.models import Ticket


def item_of(ticket: Ticket) -> Item:
    """Inside the caller's transaction. Refused where nobody agreed to keep the text and no item has it."""
    if ticket.item is not None:
        return ticket.item
    return known_item(ticket) or _made(ticket)


def known_item(ticket: Ticket) -> Item | None:
    if not ticket.text_hash:
        return None
    same = Item.objects.filter(project=ticket.project, text_hash=bytes(ticket.text_hash))
    return same.order_by("pk").first()


def _made(ticket: Ticket) -> Item:
    """Always of the pool: complaints are no random sample, and the hold-out is one."""
    if not ticket.text:
        raise DomainError(
            _(
                "Ticket %(number)d has no text to label: nobody who complained agreed to keep it. "
                "Snooze it until somebody does, or dismiss it."
            )
            % {"number": ticket.number}
        )
    external_id = f"ticket-{ticket.number}"
    added = content.add_items(
        ticket.project,
        [{"external_id": external_id, "text": ticket.text, "split": "pool", "meta": {"ticket": ticket.number}}],
    )
    pk = added.items.get(external_id)
    if pk is None:
        reason = added.rejected[0].reason if added.rejected else ""
        raise DomainError(_("The text of this ticket cannot become an item: %(why)s") % {"why": reason})
    return Item.objects.get(pk=pk)
