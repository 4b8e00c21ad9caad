"""The state of the package's random generator, taken and put back."""

import json

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import rng


def numbers():
    """Some draws of each kind: whole words, half ones, normal numbers, an order."""
    draw = rng.generator()
    return [*tg.rand(3).tolist(), *tg.randn(3).tolist(), *draw.permutation(5).tolist(),
            *draw.integers(0, 9, 3, dtype=np.int32).tolist()]


@pytest.mark.parametrize("half_draws", range(3))
@pytest.mark.parametrize("way", [
    lambda state: state, lambda state: state.tolist(), lambda state: tuple(state.tolist()),
    lambda state: json.loads(json.dumps(state.tolist())), lambda state: tg.Tensor(state),
    lambda state: state[::-1].copy()[::-1],
], ids=["array", "list", "tuple", "json", "Tensor", "strided"])
def test_the_numbers_come_again(half_draws, way):
    tg.manual_seed(7)
    for _ in range(half_draws):
        rng.generator().integers(0, 9, dtype=np.int32)  # takes 32 of 64 bits
    state = tg.get_rng_state()
    expected = numbers()
    assert numbers() != expected
    tg.set_rng_state(way(state))
    assert numbers() == expected


def test_a_state_is_six_numbers_that_stay():
    state = tg.get_rng_state()
    assert state.dtype == np.uint64
    assert state.shape == (6,)
    before = state.copy()
    numbers()
    assert np.array_equal(state, before)
    assert not np.array_equal(tg.get_rng_state(), before)


def test_a_state_goes_through_a_file(tmp_path):
    tg.manual_seed(7)
    np.savez(tmp_path / "state.npz", rng=tg.get_rng_state())
    expected = numbers()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        tg.set_rng_state(file["rng"])
    assert numbers() == expected


GOOD = [1, 2, 3, 5, 0, 0]


@pytest.mark.parametrize(("state", "error", "message"), [
    (None, TypeError, "made of integers, .*; got None"),
    ("123456", TypeError, "made of integers"),
    (3, TypeError, "made of integers"),
    ({"state": 3}, TypeError, "made of integers"),
    ([*GOOD[:5], "0"], TypeError, "made of integers"),
    ([*GOOD[:5], 0.0], TypeError, "made of integers"),
    ([*GOOD[:5], True], TypeError, "made of integers"),
    (np.array(GOOD, float), TypeError, "made of integers"),
    (np.array([GOOD]), TypeError, "made of integers"),
    ([], ValueError, "six numbers of 64 bits"),
    (GOOD[:5], ValueError, "six numbers of 64 bits"),
    ([*GOOD, 0], ValueError, "six numbers of 64 bits"),
    ([-1, *GOOD[1:]], ValueError, "six numbers of 64 bits"),
    ([1 << 64, *GOOD[1:]], ValueError, "six numbers of 64 bits"),
    ([1, 2, 3, 4, 0, 0], ValueError, "no random generator was ever in the state"),
    ([1, 2, 3, 5, 2, 0], ValueError, "no random generator was ever in the state"),
    ([1, 2, 3, 5, 1, 1 << 32], ValueError, "no random generator was ever in the state"),
])
def test_rubbish_is_refused_and_changes_nothing(state, error, message):
    before = tg.get_rng_state()
    with pytest.raises(error, match=message):
        tg.set_rng_state(state)
    assert np.array_equal(tg.get_rng_state(), before)


def test_a_generator_of_another_kind():
    other = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(TypeError, match="only the state of a PCG64 generator, .*; got MT19937"):
        rng.get_state(other)
    with pytest.raises(TypeError, match="got MT19937"):
        rng.set_state(other, GOOD)


def test_what_a_seed_stands_for():
    assert rng.source(None) is rng.generator()
    assert rng.source(3).random() == np.random.default_rng(3).random()
    own = np.random.default_rng(0)
    assert rng.source(own) is own
