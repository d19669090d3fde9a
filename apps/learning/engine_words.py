"""The engine and the workers speak plain English. Their sentences that pages show are known here, to be translated."""

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

_ = gettext_noop
SENTENCES = (
    # what is trained and why: finetune/defaults.py
    _("Character n-grams have no weights to fine-tune, so a head is published on them."),
    _("Spans need a model that reads every word in its sentence."),
    _("With %(n)s examples for %(k)s labels a head on the frozen encoder is as good and takes seconds."),
    _("%(n)s examples for %(k)s labels are enough for fine-tuning to beat the head."),
    _("%(n)s examples: a few passes see enough."),
    _("%(n)s examples: several passes, the rate falling to zero."),
    _("Larger batches use the machine better where steps are many."),
    _("Small batches give more steps where examples are few."),
    _("Nothing is stopped early: with few examples the score of one epoch is mostly luck."),
    _("%(n)s examples are enough to judge by."),
    _("%(n)s examples say how sure the model may be, and whether it beats the head."),
    _("Each of %(n)s labels teaches more than it would tell by being held back."),
    _("Words need the encoder to move further than whole texts do."),
    _("The layer that tags words reads states as they are, which are large."),
    _("Of the rates tried on bank questions the one that beat the head by most."),
    _("The last layer reads vectors of length one and needs larger steps."),
    _("One text in a hundred is longer than %(n)s tokens; this saves memory."),
    _("The GPU computes in bf16, which halves time and memory at the same score."),
    # sampling/registry.py
    _("Varied items first, doubtful ones as the model learns."),
    _("Every item is as likely as any other: the yardstick."),
    _("Items whose likeliest label has the lowest probability."),
    _("Items whose two likeliest labels are closest to each other."),
    _("Items whose probability is spread over the most labels."),
    _("The smallest margin in each cluster of doubtful items."),
    _("Items that stand for many others the model is still unsure about."),
    _("Doubtful items that resemble many others, so that outliers wait."),
    _("Items that resemble labelled ones but are predicted differently."),
    _("Items on which models trained on different draws of the labels disagree."),
    _("Doubtful items that would each teach the model something else."),
    _("The item nearest to the centre of each cluster, clusters without a label first."),
    _("The most typical item of each large cluster without a label."),
    _("The item farthest from everything labelled: covers the edges."),
    _("Items whose unchecked label the model disputes, the most disputed first."),
    _("Items on which the model wavers over many labels."),
    _("Items with one label that could go either way."),
    _("Texts whose tags the model is least confident of, whatever their length."),
    _("Texts with the most doubtful words inside spans."),
    # which encoder, and what computes it: encoders/choice.py, encoders/runtimes.py
    _("MiniLM-L6 knows the words of these texts."),
    _("MiniLM-L6 reads %(n)s %% of the words as unknown."),
    _("MiniLM-L6 breaks the words into %(n)s pieces each and knows English only."),
    _("MiniLM-L6 knows English, not “%(code)s”."),
    _("A multilingual model knows them."),
    _("Character n-grams need no vocabulary."),
    _("As asked for."),
    _("Fastest way to fp32 on a CPU."),
    # why a run failed: finetune/loop.py, publish.py
    _("The loss is not a number at step %(n)s. Choose a smaller learning rate."),
    _("Memory ran out even with half the batch. Choose a smaller batch, shorter texts or encoder."),
    _("At least two labels need examples before there is anything to learn."),
    # what a worker writes into the row of a run or a map: nobody's language is on there
    _("The labels of this run cannot be learned from."),
    _("The training process was killed, most likely because memory ran out."),
    _("The training process ended unexpectedly (code %(code)d). See its log."),
    _("The worker died %(n)d times during this run, so it was given up. Its log says how far it came."),
    _("The worker died %(n)d times while it drew this map, so it was given up."),
    _("There are no vectors to draw a map of: wait until the first ones are computed."),
    _("Something unexpected happened (%(kind)s). The worker's log has the details."),
    # why it set a signal aside: feedback/services/suspicion.py
    _("The comment holds nothing but links."),
    _("More than %(n)d signals of one person within ten minutes."),
    _("Too many signals from one network address within ten minutes."),
    _("Many people with the very same comment within a minute."),
)


def translated(text: str) -> str:
    """Whole, or sentence by sentence; a sentence that nobody told us of stays as it is."""
    whole = _known(text)
    return whole if whole is not None else " ".join(_known(part) or part for part in re.split(r"(?<=\.) ", text))


def _known(sentence: str) -> str | None:
    for template, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return gettext(template) % {k: int(v) if v.isdecimal() else v for k, v in found.groupdict().items()}
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(_pattern(template))) for template in SENTENCES]


def _pattern(template: str) -> str:
    """“%(n)s examples” → a pattern with a group n."""
    parts = re.split(r"%\((\w+)\)[sd]", template)
    return "".join(
        f"(?P<{part}>.+?)" if at % 2 else re.escape(part.replace("%%", "%")) for at, part in enumerate(parts)
    )
