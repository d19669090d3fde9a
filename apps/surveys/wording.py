"""Both languages of a survey, and the one that a reader gets."""

from dataclasses import dataclass, field
from typing import Any

from apps.surveys.models import Question, Survey

ENGLISH, CHINESE = "en", "zh-hans"


def pick(english: str, chinese: str, language: str) -> str:
    """The reader's language where there are words in it, else the other."""
    return (chinese or english) if language.startswith("zh") else (english or chinese)


def title(survey: Survey, language: str) -> str:
    return pick(survey.title_en, survey.title_zh, language)


def intro(survey: Survey, language: str) -> str:
    return pick(survey.intro_en, survey.intro_zh, language)


def wording(question: Question, language: str) -> str:
    return pick(question.wording_en, question.wording_zh, language)


def options(question: Question, language: str) -> list[str]:
    return [pick(option.get("en", ""), option.get("zh", ""), language) for option in question.options]


def languages(survey: Survey, questions: list[Question]) -> list[str]:
    """Those in which there is anything to read."""
    english = any([survey.title_en, *(question.wording_en for question in questions)])
    chinese = any([survey.title_zh, *(question.wording_zh for question in questions)])
    return [code for code, has in ((ENGLISH, english), (CHINESE, chinese)) if has]


@dataclass(frozen=True, slots=True)
class Choice:
    value: int
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as the page puts it."""

    name: str  # of the form field
    kind: str
    words: str
    required: bool
    choices: list[Choice] = field(default_factory=list)
    text: str = ""
    error: str = ""

    @property
    def is_scale(self) -> bool:
        return self.kind in Question.SCALES


def ask(
    questions: list[Question],
    language: str,
    values: dict[int, Any] | None = None,
    errors: dict[int | str, str] | None = None,
) -> list[Asked]:
    values, errors = values or {}, errors or {}
    return [_asked(question, language, values.get(question.pk), errors.get(question.pk, "")) for question in questions]


def _asked(question: Question, language: str, value: Any, error: str) -> Asked:
    chosen = value if isinstance(value, list) else [value]
    choices = [Choice(place, words, place in chosen) for place, words in _choices(question, language)]
    text = value if isinstance(value, str) else ""
    return Asked(f"q{question.pk}", question.kind, wording(question, language), question.required, choices, text, error)


def _choices(question: Question, language: str) -> list[tuple[int, str]]:
    if question.kind in Question.SCALES:
        first, last = Question.SCALES[Question.Kind(question.kind)]
        return [(number, str(number)) for number in range(first, last + 1)]
    return list(enumerate(options(question, language)))
