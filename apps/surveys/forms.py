from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.surveys.models import Question, Survey


class SurveyForm(forms.ModelForm):
    class Meta:
        model = Survey
        fields = ["title_en", "title_zh", "intro_en", "intro_zh", "quota", "once"]
        help_texts = {
            "quota": _("The survey closes itself after so many. Empty: no limit."),
            "once": _(
                "By the person's key in the widget, by a signed cookie for links. Somebody who deletes cookies can "
                "answer a link again."
            ),
        }
        widgets = {"intro_en": forms.Textarea(attrs={"rows": 2}), "intro_zh": forms.Textarea(attrs={"rows": 2})}


class QuestionForm(forms.ModelForm):
    kind = forms.ChoiceField(label=_("Kind"), choices=Question.Kind.choices)
    options_en = forms.CharField(
        label=_("Answers to choose from, English"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line. Only for questions with several answers."),
    )
    options_zh = forms.CharField(
        label=_("Answers to choose from, Chinese"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line, in the same order."),
    )

    class Meta:
        model = Question
        fields = ["kind", "wording_en", "wording_zh", "options_en", "options_zh", "required"]

    def fields_given(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        english, chinese = _lines(given.pop("options_en")), _lines(given.pop("options_zh"))
        most = max(len(english), len(chinese))
        english, chinese = english + [""] * (most - len(english)), chinese + [""] * (most - len(chinese))
        return given | {"options": [{"en": en, "zh": zh} for en, zh in zip(english, chinese, strict=True)]}


def question_form(question: Question) -> QuestionForm:
    """Filled with what the question says now."""
    lines = {
        f"options_{code}": "\n".join(option.get(code, "") for option in question.options).rstrip("\n")
        for code in ("en", "zh")
    }
    return QuestionForm(instance=question, initial=lines, auto_id=f"id_{question.pk}_%s")


def _lines(text: str) -> list[str]:
    """An empty line between two answers keeps its place: the other language has words there."""
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def values_sent(questions: list[Question], sent: QueryDict) -> dict[int, Any]:
    """What a browser sent, as the service takes it. What makes no sense is left for the service to refuse."""
    values: dict[int, Any] = {}
    for question in questions:
        name = f"q{question.pk}"
        if question.kind == Question.Kind.MULTIPLE:
            values[question.pk] = [_number(str(text)) for text in sent.getlist(name)]
        elif question.kind == Question.Kind.TEXT:
            values[question.pk] = sent.get(name, "")
        elif sent.get(name):
            values[question.pk] = _number(str(sent[name]))
    return values


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else -1
