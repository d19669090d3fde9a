import pytest
from django.utils.translation import override

from apps.learning.engine_words import _known, translated
from workers.learning import sampling
from workers.learning.finetune.defaults import choose


@pytest.mark.parametrize("task", ["single", "multi", "spans"])
@pytest.mark.parametrize("n", [20, 400, 1_000, 20_000])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_reason_of_the_engine_can_be_translated(task: str, n: int, device: str) -> None:
    for encoder in ("minilm-l6", "char-ngrams"):
        choice = choose(task, n, 5, encoder=encoder, device=device, lengths=[10, 900])  # type: ignore[arg-type]
        assert choice.reasons
        assert [reason for reason in choice.reasons.values() if _known(reason) is None] == []


def test_every_way_of_sampling_can_be_translated() -> None:
    assert [text for text in sampling.DESCRIPTIONS.values() if _known(text) is None] == []


def test_sentences_are_translated_one_by_one_with_their_figures() -> None:
    text = "MiniLM-L6 reads 61 % of the words as unknown. Character n-grams need no vocabulary."
    assert translated(text) == text
    with override("zh-hans"):
        assert "61 %" in translated(text) or "61%" in translated(text)
        assert "unknown" not in translated(text)
    assert translated("Nobody knows this one.") == "Nobody knows this one."
