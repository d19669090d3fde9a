from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.common.errors import InvalidInput
from apps.common.forms import LARGEST
from apps.learning import options
from apps.learning.services.wishes import CHAR_NGRAMS, TRIALS, Kind, Wish
from apps.learning.ways import WAYS, Way, fits_task
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from workers.learning import sampling

# what a service's refusal calls a field, and where the form shows it
_PLACES = {"kind": "way", "method": "way", "parents": "version", "student": "student", "share": "share"}


class RunForm(forms.Form):
    """One form for every way to a model. Empty means “as chosen”; what the chosen way does not know is left unread."""

    way = forms.ChoiceField(label=_("How"), widget=forms.RadioSelect)
    encoder = forms.CharField(
        label=_("Encoder"),
        max_length=300,
        required=False,
        help_text=_("minilm-l6, char-ngrams (head only), a Hugging Face name or a folder on the server."),
        widget=forms.TextInput(attrs={"list": "encoders", "autocomplete": "off", "spellcheck": "false"}),
    )
    version = forms.TypedChoiceField(
        label=_("Version to start from"), coerce=int, empty_value=None, required=False, choices=[]
    )
    versions = forms.TypedMultipleChoiceField(
        label=_("Versions that answer together"),
        coerce=int,
        required=False,
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("At least two, with the same labels."),
    )
    trials = forms.IntegerField(
        label=_("Trials"),
        min_value=TRIALS[0],
        max_value=TRIALS[1],
        required=False,
        help_text=_("How many settings are tried. Each is a training of its own, unless it is stopped early."),
    )
    share = forms.FloatField(
        label=_("Share of weights to prune"),
        min_value=0.01,
        max_value=0.95,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.05"}),
        help_text=_("0.3 sets the smallest 30 % to zero. More than half mostly costs accuracy."),
    )
    student = forms.CharField(
        label=_("Student"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"list": "students", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "“head” makes a head on the frozen encoder; “layers:3” keeps its first layers; or name a smaller encoder."
        ),
    )
    leave_out = forms.BooleanField(label=_("Leave labels without examples out"), required=False)
    weak_labels = forms.BooleanField(
        label=_("Learn from what users said, too"),
        required=False,
        help_text=_(
            "Corrected labels and thumbs count for less than your people's labels: as far as the same kind of voice "
            "proved right, and only if that helps on labels that your people gave."
        ),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text=_("The same seed on the same labels gives the same model."),
    )

    def __init__(
        self,
        *args: Any,
        project: Project,
        versions: list[ModelVersion],
        missing: int = 0,
        listens: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.project, self.known = project, {version.number: version for version in versions}
        self.fields["way"].choices = [(name, way.title) for name, way in WAYS.items()]  # type: ignore[attr-defined]
        named = [(version.number, f"{version} · {version.get_kind_display()}") for version in versions]
        self.fields["version"].choices = [("", "–"), *named]  # type: ignore[attr-defined]
        self.fields["versions"].choices = named  # type: ignore[attr-defined]
        self.fields["encoder"].initial = project.encoder or settings.DEFAULT_ENCODER
        for name, initial in (("trials", 20), ("share", 0.3), ("student", "head"), ("seed", 0)):
            self.fields[name].initial = initial
        for option in options.OPTIONS.values():
            self.fields[option.name] = options.form_field(option)
        self.fields["leave_out"].initial = True  # whoever only presses the button gets a model of what there is
        if not missing:
            del self.fields["leave_out"]
        self.fields["weak_labels"].initial = listens
        if project.task_kind != Project.TaskKind.SINGLE:
            del self.fields["weak_labels"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        way = WAYS.get((cleaned or {}).get("way", ""))
        if cleaned and way:
            self._refuse_impossible(way, cleaned)
        return cleaned

    def _refuse_impossible(self, way: Way, cleaned: dict[str, Any]) -> None:
        if not fits_task(way, self.project.task_kind):
            sentence = _now("A text's spans are marked word by word; this way reads a text as a whole.")
            if self.project.task_kind == Project.TaskKind.ENGAGEMENT:
                sentence = _now("This way compares texts that bear a label; clicks are rates.")
            self.add_error("way", sentence)
        if way.fine_tunes and not way.sources and cleaned.get("encoder") == CHAR_NGRAMS:
            sentence = _now("Character n-grams have no weights to train: choose “head only”, or another encoder.")
            self.add_error("encoder", sentence)
        if way.name == "head" and cleaned.get("balance") == "resample":
            self.add_error("balance", _now("A head weighs mistakes; drawing examples more often is for fine-tuning."))
        if way.sources == 1 and not cleaned.get("version"):
            self.add_error("version", _now("Say which version to start from."))
        if way.sources > 1 and len(cleaned.get("versions") or []) < way.sources:
            self.add_error("versions", _now("Choose at least two versions."))

    def add_refusal(self, refusal: InvalidInput) -> None:
        """A service's refusal, beside the field it is about."""
        field = _PLACES.get(refusal.field, refusal.field)
        if field == "version" and self.cleaned_data.get("way") == "ensemble":
            field = "versions"
        self.add_error(field if field in self.fields else None, str(refusal))

    def wish(self) -> Wish:
        data = self.cleaned_data
        way = WAYS[data["way"]]
        given = options.given(data, way.name) | {name: value for name, value in way.config.items() if name != "method"}
        if way.kind == Kind.PRUNE:
            given["share"] = data["share"] or 0.3
        if way.kind == Kind.DISTIL:
            given["student"] = (data["student"] or "").strip() or "head"
        parents = data["versions"] if way.sources > 1 else [data["version"]] if way.sources else []
        first = self.known[parents[0]].encoder if parents else ""
        return Wish(
            kind=way.kind,
            encoder=first or data["encoder"].strip(),
            seed=data["seed"] or 0,
            leave_out=data.get("leave_out", False),
            method=way.config.get("method", ""),
            options=given,
            parents=tuple(parents),
            trials=data["trials"] if way.kind == Kind.SEARCH else None,
            weak_labels=data.get("weak_labels", False) and (way.kind == Kind.HEAD or way.fine_tunes),
        )


class SetupForm(forms.Form):
    """Any part alone: what is not sent stays as it is."""

    strategy = forms.ChoiceField(label=_("How items are chosen"), required=False, widget=forms.RadioSelect)
    encoder = forms.CharField(
        label=_("Encoder"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"list": "encoders", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Another one computes every vector anew, in the background; the old ones serve until then."),
    )
    encoder_runtime = forms.ChoiceField(
        label=_("What computes the vectors"),
        required=False,
        choices=Project.EncoderRuntime.choices,
        help_text=_("8-bit weights are used only where they give the same answers on this machine."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sampling.offered(project.task_kind)  # type: ignore[arg-type]
        self.fields["strategy"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["encoder"].initial = project.encoder
        self.fields["encoder_runtime"].initial = project.encoder_runtime

    def changes(self) -> dict[str, str]:
        data = self.cleaned_data
        return {"strategy": data["strategy"], "encoder": data["encoder"], "runtime": data["encoder_runtime"]}

    def add_refusal(self, refusal: InvalidInput) -> None:
        self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))


class DecisionForm(forms.Form):
    """Promote or roll back: why, and what was live on the page that the person looked at."""

    why = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "hx-preserve": "true"}),
        help_text=_("Kept in the history. Needed when the figures or the regression cases speak against it."),
    )
    seen = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class RollbackForm(DecisionForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["why"].help_text = _("Kept in the history.")


class PairForm(forms.Form):
    """Whitelisted filters of the lists: labels by id, where to go on, and which version to hold against."""

    truth = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    predicted = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    before = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    now = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    after = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    against = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
