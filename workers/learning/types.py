"""What crosses the border between the application and the learning code: frozen, plain, no ORM object."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Progress = Callable[[int], None]  # how many texts are done

MetricName = Literal["accuracy", "micro_f1", "strict_f1", "auc", "log_loss"]
Reason = Literal["cold_start", "uncertain", "random"]
VerdictKind = Literal["better", "worse", "not_worse", "cannot_tell"]


class LearningError(Exception):
    """A refusal in one sentence that may be shown to a person."""


class Cancelled(Exception):
    """Somebody asked the work to stop; the last checkpoint is on disk."""


Task = Literal["single", "multi", "spans", "engagement"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """text[start:end] carries the label. Code points, end exclusive."""

    start: int
    end: int
    label: int  # index into the label order


@dataclass(frozen=True, slots=True)
class Example:
    """One text and its truth; the task says which of them is read. Labels are indexes into the label order."""

    id: int
    text: str
    label: int | None = None  # single
    labels: tuple[int, ...] | None = None  # multi: ascending; () means that none fits
    spans: tuple[Span, ...] | None = None  # spans: in order of start
    weight: float = 1.0  # how much it counts; 1 is one answer of a person who was asked
    target: tuple[float, ...] | None = None  # (k,) where no label is certain: clicks, users' corrections


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Headline:
    """The one figure that sums a model up, whatever its task."""

    name: MetricName
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers given with a confidence in low..high: how sure they were and how often they were right."""

    low: float
    high: float
    n: int
    confidence: float  # mean
    accuracy: float
    interval: Interval  # of the accuracy, Wilson, 95 %


@dataclass(frozen=True, slots=True)
class Metrics:
    """One model on one labelled set, one label per text. Shares lie in 0..1."""

    n: int
    accuracy: float
    accuracy_interval: Interval  # Wilson, 95 %
    macro_f1: float  # over the classes that occur in the truth
    macro_f1_interval: Interval  # bootstrap percentile, 95 %
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows truth, columns prediction
    ece: float | None = None
    ece_null: float | None = None  # what a perfectly calibrated model would show at this n
    nll: float | None = None
    brier: float | None = None
    reliability: tuple[ReliabilityBin, ...] = ()  # empty without probabilities

    @property
    def headline(self) -> Headline:
        return Headline("accuracy", self.accuracy, self.accuracy_interval)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers, lists and dictionaries only."""
        return asdict(self) | {"task": "single", "headline": asdict(self.headline)}


@dataclass(frozen=True, slots=True)
class LabelCalibration:
    """How far one label's probabilities can be believed (multi-label)."""

    ece: float
    ece_null: float  # what a perfectly calibrated label would show at this n
    brier: float


@dataclass(frozen=True, slots=True)
class MultiMetrics:
    """One model on one labelled set, any number of labels per text. Shares lie in 0..1."""

    n: int
    micro_f1: float  # over all (text, label) decisions
    micro_f1_interval: Interval  # bootstrap over texts, 95 %
    micro_precision: float
    micro_recall: float
    macro_f1: float  # over the labels that occur in the truth
    macro_f1_interval: Interval
    exact_match: float  # texts whose whole set of labels is right
    exact_match_interval: Interval  # Wilson
    hamming: float  # share of (text, label) decisions that are wrong
    per_class: tuple[ClassMetrics, ...]
    ranking_precision: float | None = None  # label ranking average precision; needs probabilities, as all below
    ece: float | None = None  # over all (text, label) decisions
    ece_null: float | None = None
    nll: float | None = None  # binary, mean over decisions
    brier: float | None = None
    calibration: tuple[LabelCalibration, ...] = ()  # in label order
    reliability: tuple[ReliabilityBin, ...] = ()

    @property
    def headline(self) -> Headline:
        return Headline("micro_f1", self.micro_f1, self.micro_f1_interval)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"task": "multi", "headline": asdict(self.headline)}


@dataclass(frozen=True, slots=True)
class SpanMetrics:
    """One model on one labelled set of texts with marked spans. Shares lie in 0..1."""

    n: int  # texts
    n_truth: int  # spans in the truth
    n_predicted: int
    strict_f1: float  # same borders, same label
    strict_f1_interval: Interval  # bootstrap over texts, 95 %
    strict_precision: float
    strict_recall: float
    partial_f1: float  # the same label and overlapping borders earn half (SemEval 2013, task 9)
    partial_f1_interval: Interval
    partial_precision: float
    partial_recall: float
    macro_f1: float  # strict, over the labels that occur in the truth
    macro_f1_interval: Interval
    exact_match: float  # texts whose spans are all right
    exact_match_interval: Interval  # Wilson
    per_class: tuple[ClassMetrics, ...]  # strict
    per_class_partial: tuple[ClassMetrics, ...]
    wrong_border: int  # predicted spans that overlap one of their label, but with other borders
    wrong_label: int  # with a true span's exact borders and another label
    spurious: int  # the other wrong predictions
    missed: int  # true spans without a prediction of their label on them

    @property
    def headline(self) -> Headline:
        return Headline("strict_f1", self.strict_f1, self.strict_f1_interval)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"task": "spans", "headline": asdict(self.headline)}


@dataclass(frozen=True, slots=True)
class EngagementMetrics:
    """One model of clicks on items that were shown. Losses are in nats a showing; intervals resample items, 95 %."""

    n: int  # items
    shown: int
    clicked: int
    base_rate: float
    log_loss: float
    log_loss_interval: Interval
    base_log_loss: float  # of the base rate, which is the same answer for all
    gain: float  # base_log_loss − log_loss: above 0 it knows more than the base rate
    gain_interval: Interval
    auc: float
    auc_interval: Interval
    ece: float
    ece_null: float  # what a perfectly calibrated model would show
    brier: float
    spread: float  # how much alike the showings of one item are, beyond its probability; 0: independent
    reliability: tuple[ReliabilityBin, ...] = ()  # over ten parts of equal showings

    @property
    def headline(self) -> Headline:
        return Headline("auc", self.auc, self.auc_interval)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"task": "engagement", "headline": asdict(self.headline)}


@dataclass(frozen=True, slots=True)
class Slice:
    """The headline figure on the items that share one value, such as language = "de"."""

    name: str  # of the field: "language", "source" …
    value: str  # "" for the items without one
    n: int
    score: float | None  # None below the minimum n: too few to say
    interval: Interval | None  # 95 %
    gap: float | None = None  # score minus that of all other items
    stands_out: bool = False  # the gap is real at 5 % over the whole table (Holm 1979)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Model b against model a on the same items; differences are b − a in the metric named."""

    kind: VerdictKind
    difference: float
    low: float
    high: float
    n: int
    more_needed: int | None  # further hold-out labels that would probably decide; None when decided or out of reach
    metric: MetricName = "accuracy"


@dataclass(frozen=True, slots=True)
class Round:
    """One batch of labelling as the stopping rule sees it."""

    labels: int  # given so far
    classes: int  # seen among them so far
    agreement: float | None  # Cohen's kappa with the round before, over the same unlabelled items
    score: float | None = None  # on the hold-out, if there is one


@dataclass(frozen=True, slots=True)
class StoppingAdvice:
    """Advice, never an automatic stop."""

    stop: bool
    reason: Literal["too_few_rounds", "new_class", "unstable", "still_rising", "stable"]
    stability: float | None  # mean kappa over the window
    gain: float | None  # in score, expected from the next labels; None without enough hold-out scores
    gain_interval: Interval | None  # 90 %
    next_labels: int  # how many the gain is about

    @property
    def gain_is_telling(self) -> bool:
        """Whether the interval is narrow enough to be worth reading: 20 points at most."""
        return self.gain_interval is not None and self.gain_interval.high - self.gain_interval.low <= 0.2

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree beyond chance; 1 is perfect, 0 is what chance gives."""

    coefficient: Literal["alpha", "fleiss_kappa", "cohen_kappa", "span_f1"]
    value: float | None  # None where it is undefined: nothing is rated twice, or nobody ever varied
    interval: Interval | None  # bootstrap over items, 95 %
    items: int  # rated at least twice
    ratings: int  # on those items
    per_class: tuple[float | None, ...] = ()  # one class against the rest, in label order

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Consensus:
    """One label per item out of several opinions. n items, k classes, m raters."""

    labels: Ints  # (n,); -1 where nobody rated
    probabilities: Floats  # (n, k) that each class is the right one
    quality: Floats  # (n,) how much the label can be trusted, 0..1
    raters: Floats  # (m,) estimated share of right answers; NaN where someone rated nothing
    tied: NDArray[np.bool_]  # (n,) the votes alone do not decide


@dataclass(frozen=True, slots=True)
class ClassIssues:
    n: int  # examples given this label
    flagged: int


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """Which of n given labels are probably wrong."""

    score: Floats  # (n,) 0..1, small means suspicious
    flagged: NDArray[np.bool_]  # (n,)
    suggested: Ints  # (n,) the likeliest class
    order: Ints  # rows that were flagged, most suspicious first
    per_class: tuple[ClassIssues, ...]  # watch that a rare class is not simply called wrong


@dataclass(frozen=True, slots=True)
class Choice:
    row: int  # into the vectors that were planned over
    reason: Reason
    score: float | None  # margin at the time of choosing; None where no head was asked


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A predicted span; the score is the probability of its least certain word."""

    start: int
    end: int
    label: int
    score: float


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """What a span model says of one text, and how sure it is of the whole."""

    spans: tuple[ScoredSpan, ...]
    confidence: float  # exp of the mean log-probability of the likeliest tags (MNLP, Shen et al. 2018)
    margin: float  # mean of the lowest margins between the two likeliest tags of a word
    tokens: int  # words that were read: the cost of asking a person
