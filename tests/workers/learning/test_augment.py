import numpy as np

from workers.learning.finetune.augment import augment

SPECIAL = (101, 102, 0)
TOKENS = [101, *range(1000, 1400), 102]


def test_special_tokens_are_never_touched():
    for seed in range(20):
        for mask in (None, 103):
            out = augment(TOKENS, 0.5, np.random.default_rng(seed), SPECIAL, mask_id=mask)
            assert (out[0], out[-1]) == (101, 102)


def test_about_the_wished_share_is_masked_in_place_or_dropped():
    rng = np.random.default_rng(0)
    masked = augment(TOKENS, 0.2, rng, SPECIAL, mask_id=103)
    assert len(masked) == len(TOKENS)
    assert 50 <= masked.count(103) <= 110
    assert all(a in (b, 103) for a, b in zip(masked, TOKENS, strict=True))
    dropped = augment(TOKENS, 0.2, rng, SPECIAL)
    assert 290 <= len(dropped) - 2 <= 350
    assert dropped == [t for t in TOKENS if t in set(dropped)]  # the order stays


def test_the_draw_follows_from_the_generator_alone():
    first, again, other = (augment(TOKENS, 0.3, np.random.default_rng(s), SPECIAL) for s in (1, 1, 2))
    assert first == again != other


def test_something_of_every_text_is_left():
    for seed in range(50):
        out = augment([101, 7, 8, 102], 0.99, np.random.default_rng(seed), SPECIAL)
        assert len(out) >= 3
    assert augment([101, 102], 0.5, np.random.default_rng(0), SPECIAL) == [101, 102]
    assert augment([], 0.5, np.random.default_rng(0), SPECIAL) == []


def test_no_rate_changes_nothing():
    assert augment(TOKENS, 0.0, np.random.default_rng(0), SPECIAL, mask_id=103) == TOKENS
