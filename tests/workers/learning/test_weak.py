"""What users say is believed as far as it proved right, moves the model's own answer, and is let in only if it helps."""

import numpy as np
import pytest

from workers.learning import heads, weak, weak_guard
from workers.learning.types import LearningError
from workers.learning.weak import Check, Evidence, Sources, Voice, WeakText

BASE = {"is": 0.1, "not": 0.25, "up": 0.75}
PRIOR = np.array([[0.6, 0.3, 0.1]])


def text(*voices: Voice, number: int = 1) -> WeakText:
    return WeakText(-number, f"text {number}", voices)


def trusted(claim: str, *, right: int = 95, wrong: int = 5, source: str = "widget") -> Sources:
    """Checked on as many people as it takes for every check to count in full."""
    people = range(1, 1 + -(-(right + wrong) // weak.PERSON_CAP))
    spread = [(right // len(people), wrong // len(people)) for _ in people]
    return Sources([Check(claim, source, person, *part) for person, part in zip(people, spread, strict=True)], BASE)


def moved(sources: Sources, *voices: Voice) -> np.ndarray:
    return weak.targets([text(*voices)], sources, PRIOR)[0][0]


def weight(sources: Sources, *voices: Voice) -> float:
    return float(weak.targets([text(*voices)], sources, PRIOR)[1][0])


def test_a_source_that_was_never_checked_weighs_little_and_hardly_moves_the_models_answer():
    nobody_knows = Sources([], BASE)
    for claim in weak.CLAIMS:
        voice = Voice(claim, 1, "widget", 1)
        assert weight(nobody_knows, voice) <= 0.11
        assert np.abs(moved(nobody_knows, voice) - PRIOR[0]).max() < 0.2


def test_a_checked_source_is_believed_as_far_as_it_proved_right():
    voice = Voice("is", 1, "widget", 1)
    good, poor = trusted("is"), trusted("is", right=40, wrong=60)
    assert weight(good, voice) > 0.8 > 0.5 > weight(poor, voice) > 0
    assert moved(good, voice)[1] > 0.9 > moved(poor, voice)[1] > PRIOR[0, 1]


def test_a_source_that_is_mostly_wrong_is_not_heard_and_not_turned_round():
    liar, voice = trusted("is", right=0, wrong=100), Voice("is", 1, "widget", 1)
    assert weight(liar, voice) == 0
    np.testing.assert_allclose(moved(liar, voice), PRIOR[0], atol=1e-6)


def test_thumbs_down_is_a_complementary_label_it_moves_that_mass_away_in_the_models_own_proportions():
    target = moved(trusted("not"), Voice("not", 0, "widget", 1))
    assert target[0] < 0.1
    assert target[1] / target[2] == pytest.approx(3, rel=1e-4)


def test_thumbs_up_is_at_most_a_pseudo_label_of_half_weight():
    voice = Voice("up", 0, "widget", 1)
    assert 0 < weight(trusted("up", right=1_000, wrong=0), voice) <= weak.UP_SHARE


def test_several_people_count_for_more_than_one_and_contradictions_cancel():
    sources = trusted("not", right=60, wrong=40)
    one, two = Voice("not", 0, "widget", 1), Voice("not", 0, "widget", 2)
    assert moved(sources, one, two)[0] < moved(sources, one)[0] < PRIOR[0, 0]
    both = Sources([Check("not", "widget", 9, 60, 40), Check("up", "widget", 9, 90, 10)], BASE)
    down, praised = moved(both, one)[0], moved(both, one, Voice("up", 0, "widget", 3))[0]
    assert down < praised


def test_one_person_has_one_voice_on_a_text_however_often_they_press():
    sources, voice = trusted("not"), Voice("not", 0, "widget", 1)
    np.testing.assert_array_equal(moved(sources, *[voice] * 50), moved(sources, voice))


def test_a_corrected_label_replaces_the_same_persons_thumb():
    down, wanted = Voice("not", 0, "widget", 1), Voice("is", 2, "widget", 1)
    assert weak.one_each([down, wanted]) == weak.one_each([wanted, down]) == (wanted,)


def test_one_angry_person_cannot_dominate():
    """A thousand thumbs-down of one person weigh together hardly more than PERSON_CAP full voices."""
    sources = trusted("not")
    flood = [text(Voice("not", 0, "widget", 7), number=i) for i in range(1_000)]
    _target, weights = weak.targets(flood, sources, np.repeat(PRIOR, 1_000, axis=0))
    single = weight(sources, Voice("not", 0, "widget", 7))
    assert weights.sum() <= weak.PERSON_CAP * single * 1.01
    many = [text(Voice("not", 0, "widget", i), number=i) for i in range(1_000)]
    assert weak.targets(many, sources, np.repeat(PRIOR, 1_000, axis=0))[1].sum() > 400 * single


def test_people_without_a_name_count_together_as_one():
    sources = trusted("not")
    nameless = [text(Voice("not", 0, "widget"), number=i) for i in range(500)]
    weights = weak.targets(nameless, sources, np.repeat(PRIOR, 500, axis=0))[1]
    assert weights.sum() <= weak.PERSON_CAP


def test_a_person_who_proved_wrong_is_heard_less_than_others_of_the_same_channel():
    checks = [Check("is", "widget", 1, 40, 2), Check("is", "widget", 2, 0, 20)]
    sources = Sources(checks, BASE)
    stranger, good, bad = (Voice("is", 1, "widget", person) for person in (3, 1, 2))
    assert sources.rate(bad) < sources.rate(stranger) < sources.rate(good)


def test_the_same_checks_are_not_counted_once_for_every_level():
    """Ten imagined checks stand against the real ones, whether one channel or several made them."""
    sources = trusted("is", right=10, wrong=0)
    rate, before = sources.rate(Voice("is", 1, "widget", 99)), 0.1 + weak.BELIEF * 0.9
    assert rate <= (10 + weak.STRENGTH * before) / (10 + weak.STRENGTH) + 1e-9


def test_the_report_gives_the_posterior_of_every_kind_of_claim():
    checks = [Check("is", "widget", person, 15, 5) for person in range(1, 5)] + [Check("is", "api", 9, 20, 0)]
    sources = Sources(checks, BASE)
    (row,) = sources.report([text(Voice("is", 1))])
    assert (row.checked, row.right, row.voices) == (100, 80, 1)
    assert 0.65 < row.interval.low < row.rate < row.interval.high < 0.83
    assert row.as_dict()["credibility"] == pytest.approx(row.credibility, abs=1e-4)


def test_thumbs_of_both_kinds_share_one_base_rate():
    """Which texts get a thumbs-down is no accident, so the base comes from all texts with a thumb."""
    texts = [text(Voice("not", 0, "w", 1), number=1), text(Voice("up", 0, "w", 2), number=2)]
    base = weak.base_rates(texts, np.array([[0.5, 0.5, 0], [0.9, 0.1, 0]]))
    assert base["up"] == pytest.approx(0.7)
    assert base["not"] == pytest.approx(0.3)


def test_a_claim_that_nobody_knows_is_refused_in_words():
    with pytest.raises(LearningError, match="claims something"):
        Evidence([text(Voice("maybe", 0))])


# --- the guard --------------------------------------------------------------------------------------------------------
def world(seed: int, *, n: int, m: int, flip: float, k: int = 6, d: int = 24):
    """Experts' rows, users' rows, and thumbs on a served head's answers of which `flip` are wrong."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n + m)
    x = rng.normal(size=(k, d))[y] + 1.6 * rng.normal(size=(n + m, d))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    served = heads.fit(x[:n], y[:n], n_classes=k).glance(x)[0]
    texts, checks = [], []
    for row in range(n, n + m):
        right = bool(served[row] == y[row])
        voice = Voice("up" if right != (rng.random() < flip) else "not", int(served[row]), "widget", row % 50)
        if row < n + m // 8:
            held = right == (voice.claim == "up")
            checks.append(Check(voice.claim, "widget", voice.person, int(held), int(not held)))
        else:
            texts.append(WeakText(-row, str(row), (voice,)))
    return x[:n], y[:n], x[n + m // 8 :], Evidence(texts, checks), k


def chosen(seed: int = 0, **how) -> weak_guard.Choice:
    x, y, x_weak, evidence, k = world(seed, **how)
    return weak_guard.choose(x, y, x_weak, evidence, n_classes=k, rng=np.random.default_rng(seed))


def test_honest_thumbs_are_let_in_and_a_coin_weighs_next_to_nothing():
    honest, coin = (chosen(n=150, m=1_200, flip=flip) for flip in (0.0, 0.5))
    assert honest.ratio > 0
    assert honest.weight.sum() > 2 * coin.weight.sum()
    assert coin.weight.max() < 0.35
    assert all(row.credibility < 0.35 for row in coin.reliability)


@pytest.mark.slow
@pytest.mark.parametrize("flip", [0.0, 0.3, 0.5, 1.0])
def test_whatever_users_say_the_model_loses_next_to_nothing(flip):
    """On texts that neither experts nor users spoke of, over several worlds."""
    gains = []
    for seed in range(4):
        x, y, x_weak, evidence, k = world(seed, n=150, m=800, flip=flip)
        rng = np.random.default_rng([seed, 99])
        choice = weak_guard.choose(x[:100], y[:100], x_weak, evidence, n_classes=k, rng=rng)
        plain = heads.fit(x[:100], y[:100], n_classes=k)
        both = weak_guard.blend(np.vstack([x[:100], x_weak]), y[:100], choice.target, choice.weight, c=30.0)
        gains.append(np.mean([(h.glance(x[100:])[0] == y[100:]).mean() * s for h, s in ((both, 2), (plain, -2))]))
    assert np.mean(gains) > (0.0 if flip == 0 else -0.02)


def test_malicious_thumbs_are_never_let_in_to_any_harm():
    choice = chosen(n=150, m=1_200, flip=1.0)
    assert choice.ratio == 0 or choice.weight.max() < 0.05


def test_the_choice_is_deterministic():
    a, b = chosen(n=120, m=600, flip=0.1), chosen(n=120, m=600, flip=0.1)
    assert a.as_dict() == b.as_dict()
    np.testing.assert_array_equal(a.weight, b.weight)


def test_with_too_few_expert_labels_nothing_can_be_checked_and_nothing_is_let_in():
    choice = chosen(n=weak_guard.LEAST - 1, m=400, flip=0.0)
    assert (choice.ratio, choice.tried) == (0.0, [])
    assert not choice.weight.any()


def test_all_that_users_say_never_weighs_more_than_the_experts_do():
    choice = chosen(n=60, m=2_000, flip=0.0)
    assert choice.weight.sum() <= 60 * max(weak_guard.RATIOS) + 1e-3


def test_users_cannot_bring_in_a_class_that_no_expert_has_shown():
    target = np.array([[0.1, 0.1, 0.8]], dtype=np.float32)
    np.testing.assert_allclose(weak_guard.known_only(target, np.array([0, 1, 0])), [[0.5, 0.5, 0]])


def test_of_shares_that_are_about_as_good_the_smallest_is_taken():
    choice = chosen(n=150, m=1_200, flip=0.0)
    losses = {row["ratio"]: row["loss"] for row in choice.tried}
    assert set(losses) == set(weak_guard.RATIOS)
    assert losses[choice.ratio] < losses[0.0]
