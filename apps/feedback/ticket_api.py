"""Tickets for machines: what the triage page shows and does, over the same services."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, cast

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import LARGEST
from apps.common.pagination import LIMIT, MOST
from apps.feedback import ticket_queries as queries
from apps.feedback import transitions
from apps.feedback.models import Signal, Ticket, TicketMove
from apps.feedback.services import tickets as services
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


def _project(request: Request, slug: str) -> Project:
    return project_for(cast(User, request.user), slug, need=Capability.TRIAGE)


def _ticket(project: Project, number: int) -> Ticket:
    found = Ticket.objects.select_related("project", "predicted", "wanted", "assignee", "fixed_in", "task", "item")
    return get_object_or_404(found, project=project, number=number)


def _given(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    given = shape(data=data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class TicketOut(serializers.ModelSerializer[Ticket]):
    predicted = serializers.IntegerField(source="predicted_id", allow_null=True)
    wanted = serializers.IntegerField(source="wanted_id", allow_null=True)
    assignee = serializers.IntegerField(source="assignee_id", allow_null=True)
    item = serializers.IntegerField(source="item_id", allow_null=True)
    task = serializers.IntegerField(source="task_id", allow_null=True)
    duplicate_of = serializers.IntegerField(source="duplicate_of.number", default=None, allow_null=True)
    fixed_in = serializers.IntegerField(source="fixed_in.number", default=None, allow_null=True)
    actions = serializers.SerializerMethodField(help_text="What may be done with it now.")

    class Meta:
        model = Ticket
        fields = [
            *("number", "text", "predicted", "wanted", "said", "state", "state_at", "actions", "reach", "priority"),
            *("assignee", "item", "task", "dismissal", "answer", "duplicate_of", "snoozed_until", "snoozed_reach"),
            *("fixed_in", "first_signal_at", "last_signal_at", "looked_at", "created_at"),
        ]
        read_only_fields = fields

    def get_actions(self, ticket: Ticket) -> list[str]:
        return [action for action in transitions.actions(ticket.state) if action in transitions.BY_PEOPLE]


class MoveOut(serializers.ModelSerializer[TicketMove]):
    ticket = serializers.IntegerField(source="ticket.number")
    by = serializers.IntegerField(source="by_id", allow_null=True, help_text="Empty: the loop did it.")
    undoes = serializers.IntegerField(source="undoes_id", allow_null=True)

    class Meta:
        model = TicketMove
        fields = ["id", "ticket", "action", "before", "after", "data", "bulk", "undoes", "by", "at"]
        read_only_fields = fields


class ExampleOut(serializers.ModelSerializer[Signal]):
    predicted = serializers.IntegerField(source="predicted_id", allow_null=True)
    wanted = serializers.IntegerField(source="wanted_id", allow_null=True)
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True)

    class Meta:
        model = Signal
        fields = [
            *("id", "kind", "text", "comment", "predicted", "wanted", "value", "confidence", "version", "language"),
            *("source", "received_at"),
        ]
        read_only_fields = fields


class TicketQuery(serializers.Serializer[Any]):
    state = serializers.MultipleChoiceField(
        choices=[*Ticket.State.choices, ("all", _("any"))],
        required=False,
        help_text="Left out: new and regressed, which wait for a decision. “all”: any.",
    )
    q = serializers.CharField(required=False, default="", max_length=200, help_text="In the text or a comment.")
    predicted = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST, help_text="Label id.")
    wanted = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST, help_text="Label id.")
    assignee = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST, help_text="User id; 0: nobody.")
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    language = serializers.CharField(required=False, default="", max_length=10)
    source = serializers.CharField(required=False, default="", max_length=60)  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Signal.Kind.choices, required=False)
    least_reach = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    since = serializers.DateTimeField(required=False)
    after = serializers.CharField(required=False, default="", max_length=80, help_text="The `next` of the page before.")
    limit = serializers.IntegerField(required=False, default=LIMIT, min_value=1, max_value=MOST)


_MANY = inline_serializer(
    "TicketPage", {"results": TicketOut(many=True), "next": serializers.CharField(allow_null=True)}
)


class Tickets(APIView):
    """The most urgent first."""

    @extend_schema(operation_id="tickets_triage_list", parameters=[TicketQuery], responses=_MANY)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        given = _given(TicketQuery, request.query_params)
        after, limit = given.pop("after"), given.pop("limit")
        states = given.pop("state", ())
        by = queries.Filters(states=tuple(sorted(set(states) - {"all"})), everything="all" in states, **given)
        found = _after(queries.tickets(project, by), after)[: limit + 1]
        shown = list(found)
        more = len(shown) > limit
        body = {"results": TicketOut(shown[:limit], many=True).data, "next": _mark(shown[limit - 1]) if more else None}
        return Response(body)


def _after(found: QuerySet[Ticket], mark: str) -> QuerySet[Ticket]:
    """Keyset pages by priority; what moves up or down in between may be met twice or not at all, as on the page."""
    if mark:
        try:
            written = urlsafe_b64decode(mark + "=" * (-len(mark) % 4)).decode("ascii")
            priority, number = float(written.split()[0]), int(written.split()[1])
        except (ValueError, IndexError) as error:
            sentence = _("This page mark is not one of ours. Start from the first page.")
            raise InvalidInput(sentence, field="after") from error
        found = found.filter(Q(priority__lt=priority) | Q(priority=priority, number__gt=min(number, 2**31 - 1)))
    return found.order_by("-priority", "number")


def _mark(ticket: Ticket) -> str:
    return urlsafe_b64encode(f"{ticket.priority!r} {ticket.number}".encode()).decode().rstrip("=")


class Counts(APIView):
    """How many tickets are in each state, and `waiting` for a decision."""

    @extend_schema(
        operation_id="tickets_counts",
        responses=inline_serializer(
            "TicketCounts",
            {str(name): serializers.IntegerField() for name in [*Ticket.State.values, "waiting"]},
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(queries.counts(_project(request, slug)))


class PartOut(serializers.Serializer[Any]):
    points = serializers.FloatField()
    sentence = serializers.CharField()


class TicketDetail(APIView):
    """One ticket with what stands behind it."""

    class DayOut(serializers.Serializer[Any]):
        day = serializers.DateField()
        people = serializers.IntegerField()
        signals = serializers.IntegerField()

    class VersionOut(serializers.Serializer[Any]):
        number = serializers.IntegerField(allow_null=True)
        people = serializers.IntegerField()
        signals = serializers.IntegerField()
        sure = serializers.FloatField(allow_null=True)

    @extend_schema(
        operation_id="ticket_detail",
        responses=inline_serializer(
            "TicketDetail",
            {
                "ticket": TicketOut(),
                "priority_in_words": PartOut(many=True),
                "days": DayOut(many=True),
                "versions": VersionOut(many=True),
                "examples": ExampleOut(many=True),
                "moves": MoveOut(many=True),
                "similar": serializers.ListField(child=serializers.IntegerField(), help_text="Ticket numbers."),
                "duplicates": serializers.ListField(child=serializers.IntegerField(), help_text="Ticket numbers."),
                "cases": serializers.ListField(child=serializers.IntegerField(), help_text="Ids of regression cases."),
            },
        ),
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        ticket = _ticket(_project(request, slug), number)
        found = queries.detail(ticket)
        return Response(
            {
                "ticket": TicketOut(ticket).data,
                "priority_in_words": PartOut(found.standing.spelled_out, many=True).data,
                "days": self.DayOut(found.days, many=True).data,
                "versions": self.VersionOut(found.versions, many=True).data,
                "examples": ExampleOut(found.examples, many=True).data,
                "moves": MoveOut(found.moves, many=True).data,
                "similar": [other.number for other in queries.similar(ticket)],
                "duplicates": [other.number for other in found.duplicates],
                "cases": [case.pk for case in found.cases],
            }
        )


# --- moves ---------------------------------------------------------------------------------------------------
PEOPLE = [(action, transitions.ACTIONS[action]) for action in transitions.BY_PEOPLE]


class MoveIn(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=PEOPLE)
    why = serializers.ChoiceField(choices=Ticket.Dismissal.choices, required=False, help_text="To dismiss.")
    answer = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=5_000,
        help_text="To dismiss: what may be sent to those who complained.",
    )
    of = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Of a duplicate: ticket number."
    )
    until = serializers.DateTimeField(required=False, help_text="To snooze.")
    reach = serializers.IntegerField(
        required=False, min_value=1, max_value=1_000_000, help_text="To snooze: until so many more people complain."
    )
    to = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST, help_text="To assign: user id; null: nobody."
    )


_NEEDED = {
    "dismiss": ("why", "answer"),
    "duplicate": ("of",),
    "snooze": ("until", "reach"),
    "assign": ("to",),
}
_REQUIRED = {"dismiss": "why", "duplicate": "of", "assign": "to"}


def _values(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    """What the service takes for this action; anything else that was sent is a mistake worth naming."""
    action = given["action"]
    values = {name: value for name, value in given.items() if name not in {"action", "numbers"}}
    strange = sorted(set(values) - set(_NEEDED.get(action, ())))
    if strange:
        raise InvalidInput(_("“%(field)s” does not belong to this move.") % {"field": strange[0]}, field=strange[0])
    missing = _REQUIRED.get(action)
    if missing and missing not in values:
        raise InvalidInput(_("This move needs “%(field)s”.") % {"field": missing}, field=missing)
    if "of" in values:
        values["of"] = _other(project, values["of"])
    if values.get("to") is not None:
        values["to"] = _member(project, values["to"])
    return values


def _other(project: Project, number: int) -> Ticket:
    found = Ticket.objects.filter(project=project, number=number).first()
    if found is None:
        raise InvalidInput(_("There is no ticket %(number)d.") % {"number": number}, field="of")
    return found


def _member(project: Project, pk: int) -> User:
    found = User.objects.filter(memberships__project=project, pk=pk).first()
    if found is None:
        raise InvalidInput(_("Nobody in this project has this id."), field="to")
    return found


class TicketMoves(APIView):
    """Everything that happened to a ticket, newest first; and the next move. Refused in words (409) where the table
    of moves does not allow it, or when somebody else was quicker."""

    @extend_schema(operation_id="ticket_moves", responses=MoveOut(many=True))
    def get(self, request: Request, slug: str, number: int) -> Response:
        ticket = _ticket(_project(request, slug), number)
        moves = ticket.moves.select_related("ticket").order_by("-pk")
        return Response(MoveOut(moves, many=True).data)

    @extend_schema(operation_id="ticket_move", request=MoveIn, responses={201: MoveOut})
    def post(self, request: Request, slug: str, number: int) -> Response:
        project = _project(request, slug)
        given = _given(MoveIn, request.data)
        move = services.act(
            _ticket(project, number), given["action"], cast(User, request.user), **_values(project, given)
        )
        return Response(MoveOut(move).data, status=201)


class TicketUndo(APIView):
    """Takes the newest move of this ticket back, if a person made it and nothing has come of it."""

    @extend_schema(operation_id="ticket_undo", request=None, responses={201: MoveOut})
    def post(self, request: Request, slug: str, number: int) -> Response:
        move = services.undo(_ticket(_project(request, slug), number), cast(User, request.user))
        return Response(MoveOut(move).data, status=201)


class RefusedOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    detail = serializers.CharField()


_DONE = inline_serializer(
    "TicketsMoved",
    {
        "bulk": serializers.UUIDField(help_text="To undo all of it."),
        "moves": MoveOut(many=True),
        "refused": RefusedOut(many=True),
    },
)


def _done(done: services.Done) -> Response:
    refused = [{"number": number, "detail": sentence} for number, sentence in done.refused]
    return Response({"bulk": str(done.bulk), "moves": MoveOut(done.moves, many=True).data, "refused": refused})


class BulkMoves(APIView):
    """The same move for up to 500 tickets. Those that refuse stay as they are and say why."""

    class Input(MoveIn):
        numbers = serializers.ListField(
            child=serializers.IntegerField(min_value=1, max_value=2**31 - 1), max_length=services.MOST_AT_ONCE
        )

    @extend_schema(operation_id="tickets_move", request=Input, responses=_DONE)
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        given = _given(self.Input, request.data)
        values = _values(project, given)
        by = cast(User, request.user)
        return _done(services.bulk(project, given["numbers"], given["action"], by, **values))


class BulkUndo(APIView):
    """Takes back a bulk move whole, or, without its id, this person's newest move."""

    class Input(serializers.Serializer[Any]):
        bulk = serializers.UUIDField(required=False)

    @extend_schema(operation_id="tickets_undo", request=Input, responses=_DONE)
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        made_together = _given(self.Input, request.data).get("bulk")
        by = cast(User, request.user)
        if made_together is not None:
            return _done(services.undo_bulk(project, made_together, by))
        return _done(services.undo_latest(project, by))
