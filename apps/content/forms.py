from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.content.detect import DELIMITERS, ENCODINGS, FORMATS, ONE_COLUMN
from apps.content.formats import KINDS
from apps.content.guess import fields_of

_NAMES: dict[str, tuple[Any, Any]] = {
    "text": (_("Text"), _("What people will read and label.")),
    "external_id": (
        _("Your id"),
        _("Recognises a row when it comes again. Without one, the text itself is the id."),
    ),
    "label": (_("Label"), _("A label that people gave earlier.")),
    "labels": (
        _("Labels"),
        _("Labels that people gave earlier: a list, or names separated by “|”, “;” or “,”. An empty list: none fits."),
    ),
    "spans": (
        _("Spans"),
        _("Spans that people marked earlier: a list of {start, end, label}. Offsets count characters from 0."),
    ),
    "split": (_("Split"), _("Says pool or holdout. Without one, a part is held out at random.")),
    "language": (_("Language"), ""),
    "subject": (_("Subject"), _("A pseudonym of the person the text is about or from.")),
    "thread": (_("Thread"), _("What belongs to one conversation has the same value, in the order of the file.")),
    "url": (_("Link"), _("Where the text stands; http:// or https:// only.")),
    "prediction": (_("Predicted label"), _("What another model said.")),
    "score": (_("Its score"), _("From 0 to 1.")),
}
_DELIMITER_NAMES = {
    ",": _("comma"),
    "\t": _("tab"),
    ";": _("semicolon"),
    "|": _("bar |"),
    "^": _("caret ^"),
    "~": _("tilde ~"),
    ONE_COLUMN: _("none, one column"),
}
_ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "utf-32": "UTF-32",
    "gb18030": "GB18030 (GBK, GB2312)",
    "cp1252": "Windows-1252 (Latin-1)",
}


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "CSV, TSV, JSON or JSON Lines; Label Studio, doccano, Prodigy, spaCy, CoNLL, fastText; Parquet of Hugging "
            "Face datasets. Also packed as .zip or .gz."
        ),
    )


class MappingForm(forms.Form):
    """Field of ours -> column of theirs."""

    def __init__(self, *args: Any, columns: Sequence[str], task_kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(column, column) for column in columns]
        for name in fields_of(task_kind):
            label, help_text = _NAMES[name]
            nothing = [] if name == "text" else [("", _("— none —"))]
            self.fields[name] = forms.ChoiceField(
                label=label, help_text=help_text, required=name == "text", choices=[*nothing, *choices]
            )
        self.fields["meta"] = forms.MultipleChoiceField(
            label=_("Metadata"),
            help_text=_("Kept with the item, shown beside it, and part of every export."),
            required=False,
            choices=choices,
            widget=forms.CheckboxSelectMultiple,
        )


_FORMAT_NAMES = {"csv": _("Table: CSV or TSV"), "jsonl": _("JSON Lines")} | {
    name: kind.name for name, kind in KINDS.items()
}


class FormatForm(forms.Form):
    kind = forms.ChoiceField(label=_("Format"), choices=[(name, _FORMAT_NAMES[name]) for name in FORMATS])
    encoding = forms.ChoiceField(label=_("Encoding"), choices=[(name, _ENCODING_NAMES[name]) for name in ENCODINGS])
    delimiter = forms.ChoiceField(
        label=_("Cells end with"),
        choices=[(sign, _DELIMITER_NAMES[sign]) for sign in (*DELIMITERS, ONE_COLUMN)],
        help_text=_("Of a table."),
    )
    header = forms.BooleanField(label=_("The first row names the columns"), required=False)

    def clean_delimiter(self) -> str:
        return str(self.data["delimiter"])  # a choice was made; cleaning would strip the tab
