"""Gold items out of a file: what is good goes in, what is not is named with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Gold, Resolution
from apps.annotation.services.golds import make_gold
from apps.annotation.services.values import text_hash
from apps.common.errors import DomainError, InvalidInput
from apps.content import services as content
from apps.content.models import Item, Split
from apps.projects.models import Label, Project
from apps.quality.gold_file import GoldLine, Refused, parted, read


@dataclass
class Brought:
    made: int = 0
    new_items: int = 0  # of them: texts that were not here before
    refused: list[Refused] = field(default_factory=list)


def bring_in(project: Project, by: User, raw: bytes) -> Brought:
    """Items are found by their id, or by their words; a text that is not here yet becomes one of the pool."""
    lines, refused = read(raw)
    done = Brought(refused=refused)
    labels = {label.name: label for label in Label.objects.filter(project=project, archived_at=None)}
    good = []
    for line in lines:
        try:
            good.append((line, _answer(project, line, labels)))
        except InvalidInput as why:
            done.refused.append(_refusal(line, str(why)))
    found = _found(project, [line for line, _given in good])
    found |= _added(project, [line for line, _given in good if line.line not in found], done)
    for line, answer in good:
        if line.line in found:
            _make(project, by, line, found[line.line], answer, done)
    done.refused.sort(key=lambda one: one.line)
    return done


def as_it_is(project: Project, item: Item, by: User, explanation: str = "") -> Gold:
    """The truth that the item has becomes its gold answer."""
    truth = Resolution.objects.filter(item=item).select_related("label").first()
    if truth is None or (truth.label is None and truth.value is None):
        raise InvalidInput(_("This item has no truth yet that could be gold."), field="item")
    return make_gold(project, item, by, label=truth.label, value=truth.value, explanation=explanation)


def _make(  # noqa: PLR0917
    project: Project, by: User, line: GoldLine, item: Item, answer: dict[str, Any], done: Brought
) -> None:
    value = answer.get("value")
    if value and "spans" in value:
        # the file's offsets are taken at their word where it quotes nothing
        value = value | {"text_hash": text_hash(item.text)}
    try:
        with transaction.atomic():
            make_gold(project, item, by, label=answer.get("label"), value=value, explanation=line.explanation)
    except DomainError as why:
        done.refused.append(_refusal(line, str(why)))
    else:
        done.made += 1


def _answer(project: Project, line: GoldLine, labels: Mapping[str, Label]) -> dict[str, Any]:
    if project.task_kind == Project.TaskKind.SPANS:
        if line.spans is None:
            raise InvalidInput(_("It has no spans."))
        return {"value": {"spans": [span | {"label": _named(span.get("label"), labels).pk} for span in line.spans]}}
    if project.task_kind == Project.TaskKind.MULTI:
        names = line.labels if all(name in labels for name in line.labels) else parted(line.labels)
        return {"value": {"labels": [_named(name, labels).pk for name in names]}}
    if not line.labels:
        raise InvalidInput(_("It has no label."))
    return {"label": _named(line.labels[0], labels)}


def _named(name: Any, labels: Mapping[str, Label]) -> Label:
    if not isinstance(name, str) or name not in labels:
        raise InvalidInput(_("There is no label “%(name)s” in this project.") % {"name": str(name)[:80]})
    return labels[name]


def _found(project: Project, lines: Sequence[GoldLine]) -> dict[int, Item]:
    ids = [line.external_id for line in lines if line.external_id]
    hashes = [bytes.fromhex(text_hash(line.text)) for line in lines if line.text]
    by_id = {item.external_id: item for item in Item.objects.filter(project=project, external_id__in=ids)}
    same = Item.objects.filter(project=project, text_hash__in=hashes, split=Split.POOL).order_by("-pk")
    by_hash = {bytes(item.text_hash): item for item in same}
    found = {}
    for line in lines:
        item = by_id.get(line.external_id) or by_hash.get(bytes.fromhex(text_hash(line.text)))
        if item is not None:
            found[line.line] = item
    return found


def _added(project: Project, lines: Sequence[GoldLine], done: Brought) -> dict[int, Item]:
    """New items of the pool for texts that are not here."""
    with_text = [line for line in lines if line.text.strip()]
    done.refused += [_refusal(line, _("No item has this id.")) for line in lines if not line.text.strip()]
    if not with_text:
        return {}
    given = [
        {"text": line.text, "split": Split.POOL.value} | ({"external_id": line.external_id} if line.external_id else {})
        for line in with_text
    ]
    added = content.add_items(project, given)
    done.new_items = added.added
    bad = {reject.line: reject.reason for reject in added.rejected}
    done.refused += [_refusal(with_text[place], why) for place, why in bad.items()]
    return _found(project, [line for place, line in enumerate(with_text) if place not in bad])


def _refusal(line: GoldLine, why: str) -> Refused:
    return Refused(line.line, why, (line.text or line.external_id)[:80])
