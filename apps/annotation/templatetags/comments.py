"""`{% thread as thread %}`: what annotation/_comments.html shows of the page's item."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template import Context

from apps.annotation.models import Comment
from apps.annotation.queries import comments_on
from apps.annotation.services.comments import handle, people
from apps.projects.access import Capability, capabilities

register = template.Library()


@dataclass(frozen=True)
class Line:
    comment: Comment
    author: str
    removable: bool


@dataclass(frozen=True)
class Thread:
    lines: list[Line]
    people: list[str]
    writable: bool


@register.simple_tag(takes_context=True)
def thread(context: Context) -> Thread:
    item, project, user = context["item"], context["project"], context["request"].user
    can = capabilities(user, project)
    lines = [
        Line(said, handle(said.by), said.by_id == user.pk or Capability.REVIEW in can) for said in comments_on(item)
    ]
    writable = Capability.ANNOTATE in can
    return Thread(lines, [handle(each) for each in people(project) if each != user] if writable else [], writable)


@register.filter
def as_json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
