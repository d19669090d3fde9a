from apps.surveys.services.answering import Answers, Refused, Sent, answer
from apps.surveys.services.building import (
    add_question,
    change,
    change_question,
    close,
    copy,
    create,
    delete,
    move_question,
    open_survey,
    remove_question,
)
from apps.surveys.services.texts import make_items

__all__ = [
    "Answers",
    "Refused",
    "Sent",
    "add_question",
    "answer",
    "change",
    "change_question",
    "close",
    "copy",
    "create",
    "delete",
    "make_items",
    "move_question",
    "open_survey",
    "remove_question",
]
