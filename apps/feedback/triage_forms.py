"""What the triage pages take: the filter as a sentence, a move with what belongs to it, a queue's name."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.feedback.models import Signal, Ticket
from apps.feedback.ticket_queries import NOBODY, Filters
from apps.feedback.triage_queries import SORTS, Listing, triagers
from apps.projects.models import Project

WAITING, OPEN, ALL = "waiting", "open", "all"
STATES: dict[str, tuple[str, ...]] = {WAITING: Ticket.WAITING, OPEN: Ticket.OPEN, ALL: ()}
STATE_CHOICES = [*Ticket.State.choices, (ALL, _("in any state"))]
DEFAULTS = {"state": WAITING}
ME, FREE = "me", "none"
COMPLAINTS = [choice for choice in Signal.Kind.choices if choice[0] not in Signal.BEHAVIOUR]


class TriageFilter(forms.Form):
    """Every value comes from a list of ours; empty fields are left out of addresses."""

    state = forms.ChoiceField(label=_("State"), required=False)
    assignee = forms.ChoiceField(label=_("Assigned to"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False)
    q = forms.CharField(label=_("Text or number"), required=False, max_length=200)
    said = forms.ChoiceField(label=_("The model said"), required=False)
    wanted = forms.ChoiceField(label=_("People want"), required=False)
    label = forms.ChoiceField(label=_("Said or wanted"), required=False)
    version = forms.ChoiceField(label=_("Version"), required=False)
    language = forms.CharField(label=_("Language"), required=False, max_length=10)
    source = forms.CharField(label=_("Source"), required=False, max_length=60)
    kind = forms.ChoiceField(label=_("Kind of feedback"), required=False)
    since = forms.CharField(label=_("Feedback since"), required=False, max_length=10)
    reach = forms.IntegerField(label=_("People, at least"), required=False, min_value=1, max_value=1_000_000)

    MORE = ("said", "wanted", "label", "version", "language", "source", "kind", "since", "reach")

    def __init__(self, project: Project, user: User, given: Any) -> None:
        super().__init__(given, auto_id="by-%s")
        self.user = user
        labels = [(str(label.pk), label.name) for label in project.labels.all()]
        versions = [(str(v.number), str(v)) for v in project.versions.only("number", "project").order_by("-number")]
        people = [(str(person.pk), str(person)) for person in triagers(project) if person != user]
        self._choose("state", [(WAITING, _("waiting for a decision")), (OPEN, _("not settled")), *STATE_CHOICES])
        self._choose("assignee", [("", _("anybody")), (ME, _("me")), (FREE, _("nobody yet")), *people])
        self._choose("sort", [("", _("most urgent first")), *((name, words) for name, (words, _by) in SORTS.items())])
        for name in ("said", "wanted", "label"):
            self._choose(name, [("", _("anything")), *labels])
        self._choose("version", [("", _("any")), *versions])
        self._choose("kind", [("", _("any")), *COMPLAINTS])
        self.fields["since"].widget = forms.DateInput(attrs={"type": "date"})
        self.fields["q"].widget = forms.TextInput(attrs={"type": "search", "autocomplete": "off"})

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices
        field.widget.attrs["data-submit"] = ""

    def clean_since(self) -> datetime | None:
        given = self.cleaned_data["since"]
        if not given:
            return None
        if given.endswith("d") and given[:-1].isdecimal():
            return timezone.now() - timedelta(days=min(int(given[:-1]), 36_500))
        day = parse_date(given) if given.count("-") == 2 else None
        if day is None:
            raise forms.ValidationError(_("Give a day such as 2026-11-02, or a number of days such as 7d."))
        return timezone.make_aware(datetime(day.year, day.month, day.day))

    @property
    def listing(self) -> Listing:
        data = self.cleaned_data
        assignee = {"": None, ME: self.user.pk, FREE: NOBODY}.get(data["assignee"], data["assignee"])
        by = Filters(
            states=self.states,
            everything=data["state"] == ALL,
            assignee=None if assignee is None else int(assignee),
            q=data["q"].strip(),
            predicted=_number(data["said"]),
            wanted=_number(data["wanted"]),
            version=_number(data["version"]),
            language=data["language"].strip(),
            source=data["source"].strip(),
            kind=data["kind"],
            since=data["since"],
            least_reach=data["reach"] or 0,
        )
        return Listing(by, label=_number(data["label"]), sort=data["sort"])

    @property
    def states(self) -> tuple[str, ...]:
        """Of the tickets that belong into this list; empty: any."""
        state = self.cleaned_data["state"] or WAITING
        return STATES.get(state, (state,))

    @property
    def chosen(self) -> dict[str, str]:
        """What was filled in, as it was typed: the address of this list."""
        given = {name: str(self.data.get(name, "")).strip() for name in self.fields}
        return {name: value for name, value in given.items() if value and value != DEFAULTS.get(name)}

    @property
    def query(self) -> str:
        return urlencode(self.chosen)

    @property
    def more(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)


def _number(given: str) -> int | None:
    return int(given) if given else None


class MoveForm(forms.Form):
    """One move of one or many tickets. What an action needs beside its name is asked for by `missing`."""

    ACTIONS = ("accept", "duplicate", "dismiss", "snooze", "assign", "reopen", "undo", "look")
    UNTIL = ("tomorrow", "week", "month", "date", "reach")

    action = forms.ChoiceField(choices=[(name, name) for name in ACTIONS])
    numbers = forms.RegexField(r"^\d{1,9}(,\d{1,9})*$", max_length=10_000)
    seen = forms.RegexField(r"^\d{0,18}(,\d{0,18})*$", max_length=20_000, required=False)
    again = forms.BooleanField(required=False)  # the answer to the first try never came
    why = forms.ChoiceField(choices=[("", ""), *Ticket.Dismissal.choices], required=False)
    answer = forms.CharField(max_length=5_000, required=False)
    of = forms.RegexField(r"^#?\d{1,9}$", max_length=10, required=False)
    until = forms.ChoiceField(choices=[("", ""), *((name, name) for name in UNTIL)], required=False)
    date = forms.DateField(required=False)
    reach = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)
    to = forms.RegexField(r"^(me|none|\d{1,9})$", max_length=9, required=False)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("until") == "date" and data.get("date") and data["date"] <= timezone.localdate():
            self.add_error("date", _("Choose a day that is still to come."))
        if self.missing in {"date", "reach"} and data.get("until"):
            self.add_error(self.missing, _("Say until when: a day, or how many people."))
        return data

    @property
    def missing(self) -> str:
        """The field without which the action says too little; the page then asks for it."""
        data = self.cleaned_data
        needed = {"dismiss": "why", "duplicate": "of", "snooze": "until", "assign": "to"}.get(
            data.get("action", ""), ""
        )
        if needed == "until" and data.get("until") in {"date", "reach"}:
            needed = data["until"]
        return "" if not needed or data.get(needed) else needed

    @property
    def seen_by_number(self) -> dict[int, int | None]:
        numbers = [int(number) for number in self.cleaned_data["numbers"].split(",")]
        seen = self.cleaned_data["seen"].split(",") if self.cleaned_data["seen"] else []
        moves = [int(move) if move else None for move in seen]
        return dict(zip(numbers, moves + [None] * (len(numbers) - len(moves)), strict=False))

    @property
    def until_when(self) -> datetime | None:
        """Mornings: work comes back when people do."""
        today = timezone.localdate()
        days = {"tomorrow": 1, "week": 7 - today.weekday(), "month": 30}.get(self.cleaned_data["until"])
        day = today + timedelta(days=days) if days else self.cleaned_data["date"]
        return timezone.make_aware(datetime(day.year, day.month, day.day, 8)) if day else None


class QueueForm(forms.Form):
    name = forms.CharField(max_length=60)
    query = forms.CharField(max_length=500, required=False)
    everybody = forms.BooleanField(label=_("for everybody in this project"), required=False)


class SignalFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("any")), *Signal.State.choices])
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("any")), *Signal.Kind.choices])
    polarity = forms.ChoiceField(
        label=_("Tone"),
        required=False,
        choices=[("", _("any")), ("-1", _("complaint")), ("1", _("praise")), ("0", _("neither"))],
    )
    q = forms.CharField(label=_("Text or comment contains"), required=False, max_length=200)
    version = forms.ChoiceField(label=_("Version"), required=False)
    source = forms.CharField(label=_("Source"), required=False, max_length=60)
    language = forms.CharField(label=_("Language"), required=False, max_length=10)
    ticket = forms.IntegerField(label=_("Ticket"), required=False, min_value=1, max_value=2_000_000_000)
    since = forms.DateField(label=_("Since"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    MORE = ("version", "source", "language", "ticket", "since", "until")

    def __init__(self, project: Project, given: Any) -> None:
        super().__init__(given, auto_id="by-%s")
        versions = [(str(v.number), str(v)) for v in project.versions.only("number", "project").order_by("-number")]
        field = self.fields["version"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [("", _("any")), *versions]

    @property
    def where(self) -> Q:
        data = self.cleaned_data
        found = Q()
        for name in ("state", "kind", "language", "source"):
            if data[name]:
                found &= Q((name, data[name]))  # names of ours
        if data["polarity"]:
            found &= Q(polarity=int(data["polarity"]))
        if data["q"]:
            found &= Q(text__icontains=data["q"]) | Q(comment__icontains=data["q"])
        if data["version"]:
            found &= Q(version__number=int(data["version"]))
        if data["ticket"]:
            found &= Q(ticket__number=data["ticket"])
        if data["since"]:
            found &= Q(received_at__date__gte=data["since"])
        if data["until"]:
            found &= Q(received_at__date__lte=data["until"])
        return found

    @property
    def chosen(self) -> dict[str, str]:
        return {name: value for name in self.fields if (value := str(self.data.get(name, "")).strip())}

    @property
    def more(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)
