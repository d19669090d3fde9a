"""How a project labels: forms that the settings pages and the API share."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.annotation.models import Audience
from apps.projects.access import CAN, Capability
from apps.projects.models import Project

MOST_REASONS, REASON_LENGTH = 20, 120
SHARES = ("overlap_share", "blind_share", "gold_share", "gold_floor", "adjudicate_below")
ANNOTATORS = [role for role, may in CAN.items() if Capability.ANNOTATE in may]


def reasons_in(lines: str) -> list[str]:
    """One a line, each once, in their order."""
    return list(dict.fromkeys(line.strip() for line in lines.splitlines() if line.strip()))


class LabellingForm(forms.ModelForm):  # type: ignore[type-arg]  # no type at run time
    undecided = forms.CharField(
        label=_("Reasons why somebody cannot decide"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_(
            "One a line; people choose one of them instead of a label, and a reviewer decides. "
            "Without any, “cannot decide” is not offered."
        ),
    )

    class Meta:
        model = Project
        fields = [
            *("overlap_share", "overlap_wanted", "blind_share", "consensus", "adjudicate_below"),
            *("gold_share", "training_items", "gold_floor", "overlapping", "ranking_shown"),
        ]
        labels = {
            "overlap_share": _("Share of texts that more people label"),
            "overlap_wanted": _("How many people label those"),
            "blind_share": _("Share without a suggestion"),
            "consensus": _("Several answers become one by"),
            "adjudicate_below": _("Below this certainty a reviewer decides"),
            "gold_share": _("Share of gold items in the queue"),
            "training_items": _("Gold items a newcomer begins with"),
            "gold_floor": _("Pause people whose gold accuracy is surely below"),
            "overlapping": _("Spans may overlap and lie inside one another"),
            "ranking_shown": _("Annotators see how they compare"),
        }
        help_texts = {
            "overlap_share": _(
                "0.1 means one text in ten, drawn by chance: enough to measure agreement without paying for it "
                "everywhere. A change holds for all texts that nobody has taken yet, but for those that somebody "
                "sent to the queue."
            ),
            "overlap_wanted": _("Of an odd number, most are soon found."),
            "blind_share": _("Drawn for each person and text. Tells how far suggestions pull people along."),
            "adjudicate_below": _("Between 0 and 1. Ties always go to a reviewer."),
            "gold_share": _("Mixed in quietly; nobody gets one twice, nor one of their own."),
            "training_items": _("With the right answer and its explanation after each. 0: nobody is trained."),
            "gold_floor": _("0.7 pauses a person only when chance cannot explain an accuracy below 0.7. 0: nobody."),
            "ranking_shown": _("Off, people see their own pace and nobody else's."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SHARES:
            self.fields[name].widget.attrs["step"] = "0.01"
        self.fields["undecided"].initial = "\n".join(self.instance.undecided_reasons)
        if self.instance.task_kind != Project.TaskKind.SPANS:
            del self.fields["overlapping"]

    def clean_undecided(self) -> list[str]:
        reasons = reasons_in(self.cleaned_data["undecided"])
        if len(reasons) > MOST_REASONS:
            raise forms.ValidationError(_now("At most %(n)d reasons, please.") % {"n": MOST_REASONS})
        if any(len(reason) > REASON_LENGTH for reason in reasons):
            raise forms.ValidationError(_now("A reason may have %(n)d characters.") % {"n": REASON_LENGTH})
        return reasons

    def save(self, commit: bool = True) -> Project:
        self.instance.undecided_reasons = self.cleaned_data["undecided"]
        saved: Project = super().save(commit)
        return saved


class AudienceForm(forms.ModelForm):  # type: ignore[type-arg]  # no type at run time
    people = forms.ModelMultipleChoiceField(
        label=_("People"), queryset=User.objects.none(), widget=forms.CheckboxSelectMultiple, required=False
    )

    class Meta:
        model = Audience
        fields = ["name", "people"]
        labels = {"name": _("Name")}
        help_texts = {"name": _("What they are asked for, for example “Chinese speakers”.")}

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.project = project
        self.fields["name"].required = True
        people = self.fields["people"]
        assert isinstance(people, forms.ModelMultipleChoiceField)  # noqa: S101  # for the type checker
        people.queryset = annotators(project)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if Audience.objects.filter(project=self.instance.project, name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_now("There is a group of this name already."))
        return name

    def clean_people(self) -> Any:
        people = self.cleaned_data["people"]
        if not people:
            raise forms.ValidationError(_now("Choose at least one person."))
        return people


def annotators(project: Project) -> Any:
    """Members whose role lets them answer, by name."""
    return User.objects.filter(memberships__project=project, memberships__role__in=ANNOTATORS).order_by("name", "email")
