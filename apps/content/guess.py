"""Which column is which, by its name in English or Chinese. A guess: the person confirms it."""

import re
from collections.abc import Sequence
from typing import Any

FIELDS = (
    *("text", "external_id", "label", "labels", "spans", "split", "language", "subject", "thread", "url"),
    *("prediction", "score"),
)
_TRUTH_OF = {"single": "label", "multi": "labels", "spans": "spans"}  # task kind -> the field that holds its truth

_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("text", "content", "sentence", "utterance", "message", "question", "query", "review", "comment", "body"),
        *("document", "tweet", "post", "description", "feedback", "title", "input"),
        *("文本", "内容", "正文", "评论", "评价", "句子", "问题", "消息", "留言", "反馈", "标题", "语料"),
    ),
    "external_id": (
        *("externalid", "id", "uid", "uuid", "key", "itemid", "textid", "docid", "messageid", "commentid"),
        *("编号", "序号", "标识", "外部编号", "唯一标识", "评论编号"),
    ),
    "label": (
        *("label", "category", "class", "intent", "tag", "target", "gold", "goldlabel", "sentiment", "topic", "y"),
        *("标签", "类别", "分类", "意图", "情感", "标注", "主题"),
        "labels",  # a list with one name in it
    ),
    "split": ("split", "fold", "partition", "subset", "set", "划分", "数据集", "集合", "拆分"),
    "language": ("language", "lang", "locale", "语言", "语种"),
    "subject": (
        *("subject", "user", "userid", "author", "authorid", "customer", "customerid", "speaker"),
        *("用户", "用户编号", "作者", "客户", "客户编号", "主体"),
    ),
    "thread": (
        *("thread", "threadid", "conversation", "conversationid", "dialogue", "dialogueid", "dialog", "session"),
        *("会话", "会话编号", "对话", "对话编号"),
    ),
    "url": ("url", "link", "href", "permalink", "sourceurl", "source", "链接", "网址", "原文链接"),
    "prediction": (
        *("prediction", "predicted", "predictedlabel", "predictionlabel", "pred", "modellabel"),
        *("预测", "预测标签", "模型标签", "预测结果"),
    ),
    "score": (
        *("score", "confidence", "probability", "prob", "predictionscore", "predictedscore", "predictionconfidence"),
        *("置信度", "概率", "分数", "得分", "预测分数"),
    ),
}
_NAMES["labels"] = (
    *("labels", "categories", "classes", "intents", "tags", "targets", "goldlabels", "topics", "多标签", "标签列表"),
    *_NAMES["label"],
)
_NAMES["spans"] = ("spans", "entities", "annotations", "ner", "mentions", "slots", "goldspans", "实体", "片段", "标注")
KNOWN_NAMES = frozenset(name for names in _NAMES.values() for name in names)


def fields_of(task_kind: str) -> tuple[str, ...]:
    """A project of one kind can hold the truths of that kind alone."""
    others = set(_TRUTH_OF.values()) - {_TRUTH_OF.get(task_kind)}  # clicks come as signals, not with the content
    if task_kind not in _TRUTH_OF:
        others |= {"prediction", "score"}
    return tuple(name for name in FIELDS if name not in others)


def plain(name: str) -> str:
    return re.sub(r"[\s_\-.:/()]+", "", name.strip().lower())


def guess_mapping(
    columns: Sequence[str], rows: Sequence[Sequence[Any]] = (), task_kind: str = "single"
) -> dict[str, Any]:
    """Field of ours -> column of theirs; what nobody claims becomes metadata. Without a known name, the
    column with the longest cells is the text."""
    by_name = {plain(column): column for column in reversed(columns)}
    mapping: dict[str, Any] = {}
    for field in fields_of(task_kind):
        for name in _NAMES[field]:
            column = by_name.get(name)
            if column is not None and column not in mapping.values() and _fits(field, columns.index(column), rows):
                mapping[field] = column
                break
    if "text" not in mapping:
        free = [place for place, column in enumerate(columns) if column not in mapping.values()]
        if free:
            mapping["text"] = columns[max(free, key=lambda place: _letters(rows, place))]
    if "score" in mapping and "prediction" not in mapping:
        del mapping["score"]  # a number without its label says nothing; it stays as metadata
    taken = set(mapping.values())
    mapping["meta"] = _meta(columns, rows) or [column for column in columns if column not in taken]
    return mapping


def _fits(field: str, place: int, rows: Sequence[Sequence[Any]]) -> bool:
    """A column called “source” is a link only where it holds links."""
    if field != "url":
        return True
    cells = [row[place] for row in rows if place < len(row) and row[place]]
    return all(isinstance(cell, str) and cell.startswith(("http://", "https://")) for cell in cells)


def _meta(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A column of objects called “meta”, as our own exports have, is all the metadata there is."""
    if "meta" not in columns:
        return []
    place = columns.index("meta")
    cells = [row[place] for row in rows if place < len(row) and row[place] is not None]
    return ["meta"] if all(isinstance(cell, dict) for cell in cells) else []


def _letters(rows: Sequence[Sequence[Any]], place: int) -> int:
    cells = (row[place] for row in rows if place < len(row))
    return sum(len(cell) for cell in cells if isinstance(cell, str))
