"""Everybody's answers as rows, streamed."""

from collections.abc import Iterator
from typing import Any

import orjson

from apps.content.spreadsheet import csv_lines
from apps.surveys import queries
from apps.surveys.models import Given, Question, Response, Survey
from apps.surveys.wording import ENGLISH, options, wording

CHUNK = 500
_HEAD = ("id", "at", "language", "source", "subject", "consent")


def csv_rows(survey: Survey) -> Iterator[str]:
    questions = queries.questions(survey)
    head = [*_HEAD, *(f"{place}. {wording(question, ENGLISH)}" for place, question in enumerate(questions, start=1))]
    return csv_lines(head, (_cells(response, questions) for response in _responses(survey)))


def json_lines(survey: Survey) -> Iterator[bytes]:
    questions = queries.questions(survey)
    for response in _responses(survey):
        given = {one.question_id: one for one in response.given.all()}
        answers = [
            {
                "question": question.pk,
                "words": wording(question, ENGLISH),
                "kind": question.kind,
                "answer": said(given.get(question.pk), question, ENGLISH),
            }
            for question in questions
        ]
        yield orjson.dumps(dict(zip(_HEAD, _about(response), strict=True)) | {"answers": answers}) + b"\n"


def _responses(survey: Survey) -> Iterator[Response]:
    return iter(survey.responses.order_by("pk").prefetch_related("given").iterator(chunk_size=CHUNK))


def _about(response: Response) -> list[Any]:
    return [
        *(response.pk, response.at.isoformat(), response.language, response.source),
        *(response.subject, response.consent),
    ]


def _cells(response: Response, questions: list[Question]) -> list[Any]:
    given = {one.question_id: one for one in response.given.all()}
    cells = [said(given.get(question.pk), question, ENGLISH) for question in questions]
    return [*_about(response), *("; ".join(cell) if isinstance(cell, list) else cell for cell in cells)]


def said(given: Given | None, question: Question, language: str) -> Any:
    """What somebody answered: a number, the words of the choices, a text; None where nothing."""
    if given is None:
        return None
    if given.number is not None:
        return given.number
    if given.places is not None:
        words = options(question, language)
        chosen = [words[place] for place in given.places]
        return chosen if question.kind == Question.Kind.MULTIPLE else chosen[0]
    return given.text
