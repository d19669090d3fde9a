"""What tickets mean, as vectors of the project's encoder: so that a person is shown what may be the same complaint.

Filled when the inference process is there; nothing waits for it."""

from apps.common.errors import DomainError
from apps.feedback.models import Ticket
from apps.projects.models import Project
from apps.serving.services import embedding

BATCH = 128


def read(project: Project) -> int:
    """The next tickets without a vector. Says how many got theirs."""
    unread = Ticket.objects.filter(project=project, vector=None).exclude(text="").order_by("-pk")
    tickets = list(unread.only("pk", "text")[:BATCH])
    if not tickets:
        return 0
    try:
        digest, vectors = embedding.vectors(project, [ticket.text for ticket in tickets])
    except DomainError:
        return 0  # not there just now; asked again
    for ticket, vector in zip(tickets, vectors, strict=True):
        ticket.vector, ticket.encoder_digest = vector.tolist(), digest
    return Ticket.objects.bulk_update(tickets, ["vector", "encoder_digest"])


def unread_projects() -> list[int]:
    unread = Ticket.objects.filter(vector=None, project__archived_at=None).exclude(text="")
    return sorted(set(unread.order_by().values_list("project", flat=True).distinct()))
