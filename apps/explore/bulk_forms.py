"""Which items, and what should happen with them."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.annotation.models import Audience
from apps.annotation.services.sending import MOST_PEOPLE
from apps.common.errors import InvalidInput
from apps.common.forms import whole
from apps.explore.list_forms import ItemFilter
from apps.explore.services import bulk
from apps.explore.services.bulk import LABEL, QUEUE, RESTORE, SHELVE, Wish
from apps.projects.access import Capability
from apps.projects.models import Project

MOST_TICKED = 1_000
ACTS = {
    QUEUE: _("Send to the queue"),
    LABEL: _("Set the label"),
    SHELVE: _("Archive"),
    RESTORE: _("Bring back from the archive"),
}


class GroupField(forms.ModelChoiceField):  # type: ignore[type-arg]  # a type for mypy alone
    def label_from_instance(self, obj: Audience) -> str:
        return obj.name


class BulkForm(forms.Form):
    act = forms.ChoiceField(choices=list(ACTS.items()))
    wanted = forms.IntegerField(label=_("People for each item"), required=False, min_value=1, max_value=MOST_PEOPLE)
    place = forms.ChoiceField(
        label=_("Place in the queue"),
        required=False,
        choices=[("", _("where chance puts them")), ("front", _("in front"))],
    )
    audience = GroupField(
        label=pgettext_lazy("people", "For"),
        required=False,
        queryset=Audience.objects.none(),
        empty_label=_("everybody"),
    )
    label = forms.ChoiceField(label=_("Label"), required=False)
    labels = forms.MultipleChoiceField(label=_("Labels"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, project: Project, given: Any = None) -> None:
        super().__init__(given, initial={"wanted": project.wanted}, auto_id="bulk-%s")
        self.project = project
        choices = [(str(pk), name) for pk, name in project.labels.filter(archived_at=None).values_list("pk", "name")]
        label, labels, audience = self.fields["label"], self.fields["labels"], self.fields["audience"]
        assert isinstance(label, forms.ChoiceField) and isinstance(labels, forms.MultipleChoiceField)  # noqa: S101, PT018
        assert isinstance(audience, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        label.choices, labels.choices = [("", "—"), *choices], choices
        named = Audience.objects.filter(project=project).exclude(name="").order_by("name")
        audience.queryset = named
        self.groups = named.exists()

    @property
    def wish(self) -> Wish:
        given = self.cleaned_data
        return Wish(
            act=given["act"],
            wanted=given["wanted"] or self.project.wanted,
            front=given["place"] == "front",
            audience=given["audience"],
            label=int(given["label"]) if given["label"] else None,
            labels=tuple(int(each) for each in given["labels"]),
        )


def chosen(project: Project, can: frozenset[Capability], given: QueryDict) -> list[int]:
    """Ids of the rows that were ticked, or of everything that matches the list's filters."""
    if given.get("everything"):
        return bulk.all_that_match(project, filter_of(project, can, given).listing)
    ids = [pk for one in given.getlist("item")[:MOST_TICKED] if (pk := whole(one)) is not None]
    if not ids:
        raise InvalidInput(str(_("Tick at least one item.")), field="item")
    return bulk.among(project, ids)


def filter_of(project: Project, can: frozenset[Capability], given: QueryDict) -> ItemFilter:
    form = ItemFilter(project, can, QueryDict(given.get("query", "")[:10_000]))
    if not form.is_valid():
        raise InvalidInput(str(_("These filters do not fit any more. Go back to the list and choose them again.")))
    return form
