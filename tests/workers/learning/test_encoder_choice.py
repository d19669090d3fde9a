"""Which encoder is recommended for which texts, with a reason that a person understands."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from workers.learning import encoders
from workers.learning.encoders.choice import MULTILINGUAL, reading

WAIMAI = Path(__file__).parents[4] / "shared" / "data" / "waimai_10k.csv"
CHINESE = ["很快，好吃，味道足，量大", "没有送水没有送水没有送水", "非常快，态度好。", "送餐很慢，菜都凉了，差评"]
GERMAN = [
    "Ich habe meine Karte verloren, können Sie mir bitte eine neue schicken?",
    "Warum wurde die Überweisung zweimal abgebucht?",
    "Die Rückerstattung ist nach zehn Werktagen noch nicht eingegangen.",
]


def test_english_texts_get_the_bundled_encoder(questions):
    for language in ("en", "en-GB", ""):
        found = encoders.recommend(language, questions(300)[0])
        assert found.name == "minilm-l6"
        assert found.unknown < 0.01


def test_chinese_texts_get_character_ngrams_and_the_share_that_minilm_cannot_read():
    for language in ("zh", "zh_CN", ""):
        found = encoders.recommend(language, CHINESE)
        assert found.name == "char-ngrams"
        assert f"{100 * found.unknown:.0f} % of the words as unknown" in found.reason


@pytest.mark.skipif(not WAIMAI.exists(), reason="the Chinese reviews are not here")
def test_real_chinese_reviews_are_mostly_unknown_to_minilm():
    with WAIMAI.open(encoding="utf-8-sig") as handle:
        texts = [row["review"] for row in csv.DictReader(handle)][::20]
    assert encoders.recommend("zh", texts).unknown > 0.5


def test_half_chinese_is_too_much_and_a_few_words_are_not(questions):
    english = questions(200)[0]
    assert encoders.recommend("en", [*english[:50], *CHINESE * 12]).name == "char-ngrams"
    assert encoders.recommend("en", [*english, *CHINESE[:2]]).name == "minilm-l6"


def test_german_words_fall_into_pieces():
    found = encoders.recommend("de", GERMAN)
    assert found.name == "char-ngrams"
    assert "pieces" in found.reason


def test_a_multilingual_model_is_preferred_where_it_can_be_had():
    found = encoders.recommend("zh", CHINESE, reachable=lambda name: name == MULTILINGUAL)
    assert found.name == MULTILINGUAL
    assert "prefix=query:%20" in found.name


def test_without_texts_the_language_decides():
    assert encoders.recommend("", []).name == "minilm-l6"
    assert encoders.recommend("ja", []).name == "char-ngrams"
    assert "not “ja”" in encoders.recommend("ja", []).reason


def test_words_are_cut_as_minilm_s_own_tokeniser_cuts_them(questions):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoders.backbone.spec("minilm-l6").folder)
    texts = [*questions(50)[0], *CHINESE, *GERMAN, "naïve café №5 #tag @user_x 한국어 ok?!"]
    for text in texts:
        theirs = tokenizer.tokenize(text)
        unknown, pieces = reading([text])
        words = [w for w in theirs if not w.startswith("##")]
        assert unknown == pytest.approx(sum(w == "[UNK]" for w in words) / len(words), abs=0.1)
        known = [t for t in theirs if t != "[UNK]"]
        assert pieces == pytest.approx(len(known) / max(1, len([w for w in words if w != "[UNK]"])), abs=0.35)


def test_a_recommendation_costs_no_torch():
    code = "import sys; from workers.learning import encoders; encoders.recommend('zh', ['你好']); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
