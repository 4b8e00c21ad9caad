"""Schedules: their formulas, PyTorch's digits, order of the steps, states, and refusals."""

import copy
import inspect
import json
import math
import pickle
import random

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.optim import lr_scheduler

RATES = [0.1, 0.037, 1 / 3]


def parameter():
    return tg.Tensor([1.0], requires_grad=True)


def an_optimizer(kind="SGD", rates=RATES, **settings):
    groups = [{"params": [parameter()], "lr": rate} for rate in rates]
    return getattr(tg.optim, kind)(groups, **settings)


def rates_of(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def run(optimizer, scheduler, steps):
    """The rates of the groups at so many epochs, each of one step of the optimizer."""
    rows = []
    for _ in range(steps):
        rows.append(rates_of(optimizer))
        assert scheduler.get_last_lr() == rows[-1]
        optimizer.step()
        scheduler.step()
    return rows


def cosine(t):
    return (1 + math.cos(math.pi * t)) / 2


# each: name, arguments, and the rate at epoch t that the formula gives to a base rate
FORMULAS = [
    ("StepLR", (7, 0.5), lambda base, t: base * 0.5 ** (t // 7)),
    ("StepLR", (1,), lambda base, t: base * 0.1 ** t),
    ("MultiStepLR", ([3, 20, 20, 50],), lambda base, t: base * 0.1 ** (
        (t >= 3) + 2 * (t >= 20) + (t >= 50))),
    ("MultiStepLR", ([0, 9], 0.3), lambda base, t: base * 0.3 ** (1 + (t >= 9))),
    ("MultiStepLR", ([],), lambda base, t: base),
    ("ConstantLR", (), lambda base, t: base * (1 / 3 if t < 5 else 1)),
    ("ConstantLR", (0.4, 1), lambda base, t: base * (0.4 if t < 1 else 1)),
    ("LinearLR", (), lambda base, t: base * (1 / 3 + 2 / 3 * min(t, 5) / 5)),
    ("LinearLR", (1.0, 0.0, 30), lambda base, t: base * (1 - min(t, 30) / 30)),
    ("LinearLR", (0.7, 0.0, 3), lambda base, t: base * (0.7 - 0.7 * min(t, 3) / 3)),
    ("LinearLR", (0.01, 0.9, 100), lambda base, t: base * (0.01 + 0.89 * min(t, 100) / 100)),
    ("ExponentialLR", (0.97,), lambda base, t: base * 0.97 ** t),
    ("ExponentialLR", (0,), lambda base, t: base * 0.0 ** t),
    ("PolynomialLR", (), lambda base, t: base * (1 - min(t, 5) / 5)),
    ("PolynomialLR", (90, 2.5), lambda base, t: base * (1 - min(t, 90) / 90) ** 2.5),
    ("CosineAnnealingLR", (50,), lambda base, t: base * cosine(t / 50)),
    ("CosineAnnealingLR", (1, 0.01), lambda base, t: 0.01 + (base - 0.01) * cosine(t)),
    ("CosineAnnealingLR", (37, 0.003), lambda base, t: 0.003 + (base - 0.003) * cosine(t / 37)),
    ("CosineAnnealingWarmRestarts", (10,), lambda base, t: base * cosine(t % 10 / 10)),
    ("CosineAnnealingWarmRestarts", (1,), lambda base, t: base),
    ("CosineAnnealingWarmRestarts", (5, 2, 0.01), lambda base, t: 0.01 + (base - 0.01) * cosine(
        ((t + 5) / 2 ** int(math.log2(t / 5 + 1)) - 5) / 5)),
    ("LambdaLR", (lambda t: 0.95 ** t,), lambda base, t: base * 0.95 ** t),
    ("LambdaLR", (lambda t: np.float32(0.5),), lambda base, t: base * 0.5),
    ("InverseTimeLR", (0.3,), lambda base, t: base / (1 + 0.3 * t)),
    ("InverseTimeLR", (0,), lambda base, t: base),
]
LEAVES = [row[:2] for row in FORMULAS]


def numbered(rows):
    return [pytest.param(*row, id=f"{i}-{row[0]}") for i, row in enumerate(rows)]


def made(name, arguments, optimizer, **options):
    return getattr(lr_scheduler, name)(optimizer, *arguments, **options)


@pytest.mark.parametrize(("name", "arguments", "formula"), numbered(FORMULAS))
def test_the_formula(name, arguments, formula):
    optimizer = an_optimizer()
    rows = run(optimizer, made(name, arguments, optimizer), 220)
    expected = [[formula(base, t) for base in RATES] for t in range(220)]
    np.testing.assert_allclose(rows, expected, rtol=1e-9, atol=1e-15)
    assert np.min(rows) >= 0
    assert all(type(rate) is float for row in rows for rate in row)


def test_every_schedule_is_in_a_table():
    named = {row[0] for row in FORMULAS}
    others = {"LRScheduler", "OneCycleLR", "ReduceLROnPlateau", "SequentialLR",
              "ChainedScheduler"}
    assert named | others == set(lr_scheduler.__all__)


def test_a_restart_may_be_given_in_fractions_and_in_any_order():
    optimizer = an_optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4, 3)
    for epoch, share in [(0.5, 0.5 / 4), (3.75, 3.75 / 4), (4, 0), (10.25, 6.25 / 12),
                         (16, 0), (51.9, 35.9 / 36), (2, 0.5), (np.float32(1.5), 1.5 / 4)]:
        scheduler.step(epoch)
        np.testing.assert_allclose(rates_of(optimizer), np.multiply(RATES, cosine(share)),
                                   rtol=1e-12)
        assert scheduler.last_epoch == math.floor(epoch)


def test_one_cycle():
    optimizer = an_optimizer("SGD", [1.0])
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.5, 11, pct_start=0.6,
                                        anneal_strategy="linear")
    rows, momenta = [], []
    for _ in range(11):
        rows += rates_of(optimizer)
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    ends, total = [0, 5.6, 10], range(11)
    np.testing.assert_allclose(rows, np.interp(total, ends, [0.02, 0.5, 0.02 / 1e4]))
    np.testing.assert_allclose(momenta, np.interp(total, ends, [0.95, 0.85, 0.95]))
    assert rates_of(optimizer) == [rows[-1]]  # the end of the last batch changes nothing
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="Tried to step 12 times. The specified number of "
                                         "total steps is 11"):
        scheduler.step()
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(("pct_start", "steps", "peak"), [
    (0.1, 10, 0), (0.0, 10, None), (1.0, 10, 9), (0.3, 1, 0), (0.5, 4, 1)])
def test_one_cycle_of_odd_phases(pct_start, steps, peak):
    optimizer = an_optimizer("Adam", [1.0])
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.5, epochs=1, steps_per_epoch=steps,
                                        pct_start=pct_start)
    rates = np.ravel(run(optimizer, scheduler, steps))
    assert np.isfinite(rates).all()
    if peak is not None and steps > 1:
        assert rates.argmax() == peak
        assert rates.max() == pytest.approx(0.5)
        assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_one_cycle_may_leave_momentum_alone():
    optimizer = an_optimizer("Adagrad")
    scheduler = lr_scheduler.OneCycleLR(optimizer, [1, 2, 3], 5, cycle_momentum=False)
    assert scheduler.get_last_lr() == pytest.approx([1 / 25, 2 / 25, 3 / 25])
    assert "momentum" not in optimizer.param_groups[0]


# ---- combined --------------------------------------------------------------------------


def test_sequential():
    optimizer = an_optimizer(rates=[1.0])
    scheduler = lr_scheduler.SequentialLR(optimizer, [
        lr_scheduler.LinearLR(optimizer, 0.25, 1.0, 3),
        lr_scheduler.StepLR(optimizer, 2, 0.5),
        lr_scheduler.LambdaLR(optimizer, lambda t: 10 + t)], [3, 6])
    assert np.ravel(run(optimizer, scheduler, 8)).tolist() == [
        0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 10, 11]


def test_chained():
    optimizer = an_optimizer(rates=[1.0])
    scheduler = lr_scheduler.ChainedScheduler([
        lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.StepLR(optimizer, 3, 0.25)])
    assert np.ravel(run(optimizer, scheduler, 5)).tolist() == [0.5, 0.5, 1.0, 0.25, 0.25]


def test_nested():
    """In PyTorch none of these works."""
    def chain(optimizer):
        return lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(optimizer, 0.5, 2),
                                              lr_scheduler.ExponentialLR(optimizer, 0.5)])

    def sequence(optimizer):
        return lr_scheduler.SequentialLR(optimizer, [
            lr_scheduler.ConstantLR(optimizer, 0.5, 9),
            lr_scheduler.StepLR(optimizer, 1)], [2])

    optimizer = an_optimizer(rates=[1.0])
    scheduler = lr_scheduler.SequentialLR(
        optimizer, [chain(optimizer), sequence(optimizer), chain(optimizer)], [3, 6])
    rows = np.ravel(run(optimizer, scheduler, 9))
    assert rows.tolist() == [0.5, 0.25, 0.25, 0.5, 0.5, 1.0, 0.5, 0.25, 0.25]


# ---- plateau ---------------------------------------------------------------------------


def plateau_rates(metrics, rates=(1.0,), **options):
    optimizer = an_optimizer(rates=rates)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, **options)
    rows = []
    for metric in metrics:
        scheduler.step(metric)
        assert scheduler.get_last_lr() == rates_of(optimizer)
        rows.append(rates_of(optimizer) if len(rates) > 1 else rates_of(optimizer)[0])
    return rows


PLATEAUS = [
    ([3, 2, 2, 2, 2], dict(patience=1), [1, 1, 1, 0.5, 0.5]),
    ([3, 2, 2, 2, 2], dict(patience=0), [1, 1, 0.5, 0.25, 0.125]),
    ([3, 3, 3, 3, 3, 3], dict(patience=0, cooldown=2), [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
    ([3, 2.99, 2.98], dict(patience=0, threshold=0.1), [1, 0.5, 0.25]),
    ([3, 2.8, 2.6], dict(patience=0, threshold=0.1), [1, 0.5, 0.5]),
    ([3, 2.85, 2.8], dict(patience=0, threshold=0.1, threshold_mode="abs"), [1, 1, 0.5]),
    ([3, 4, 3.9, 5], dict(patience=0, mode="max"), [1, 1, 0.5, 0.5]),
    ([-3, -2, -2], dict(patience=0, mode="max", threshold_mode="abs"), [1, 1, 0.5]),
    ([3, 3, 3, 3], dict(patience=0, min_lr=0.3), [1, 0.5, 0.3, 0.3]),
    ([3, 3, 3], dict(patience=0, eps=0.3), [1, 0.5, 0.5]),
    ([math.nan, 1, math.nan, math.inf], dict(patience=0), [0.5, 0.5, 0.25, 0.125]),
    ([tg.Tensor(3.0), tg.Value(3.0), np.float32(3)], dict(patience=0), [1, 0.5, 0.25]),
]


@pytest.mark.parametrize(("metrics", "options", "expected"), PLATEAUS)
def test_plateau(metrics, options, expected):
    assert plateau_rates(metrics, **options) == expected
    optimizer = an_optimizer(rates=[1.0])
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, **options)
    assert scheduler.preview(metrics) == [[rate] for rate in [1.0, *expected[:-1]]]
    assert rates_of(optimizer) == [1.0]
    assert scheduler.last_epoch == 0


def test_plateau_with_a_bound_for_each_group():
    assert plateau_rates([1, 1, 1], rates=(1.0, 2.0), patience=0, min_lr=[0.5, 0.1]) == [
        [1, 2], [0.5, 1], [0.5, 0.5]]


def test_plateau_of_groups_that_came_later():
    for bound, error in [(0.1, None), ([0.1], ValueError)]:
        optimizer = an_optimizer(rates=[1.0])
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=bound)
        optimizer.add_param_group({"params": parameter(), "lr": 2.0})
        scheduler.step(1)
        if error is None:
            scheduler.step(1)
            assert rates_of(optimizer) == [0.1, 0.2]
        else:
            before = scheduler.state_dict()
            with pytest.raises(error, match="min_lr must have the same length"):
                scheduler.step(1)
            assert scheduler.state_dict() == before


# ---- the order of the steps ------------------------------------------------------------

COMBINED = [
    ("Chained", lambda optimizer: lr_scheduler.ChainedScheduler([
        lr_scheduler.LinearLR(optimizer), lr_scheduler.MultiStepLR(optimizer, [4, 9])])),
    ("Sequential", lambda optimizer: lr_scheduler.SequentialLR(optimizer, [
        lr_scheduler.LinearLR(optimizer), lr_scheduler.CosineAnnealingLR(optimizer, 20),
        lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(optimizer, 0.9)])], [6, 15])),
    ("OneCycle", lambda optimizer: lr_scheduler.OneCycleLR(optimizer, [0.1, 0.2, 0.3], 200)),
    ("OneCycle of three", lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, 0.1, 200, three_phase=True, anneal_strategy="linear")),
]
ALL = numbered([
    *[(name, lambda optimizer, name=name, arguments=arguments: made(
        name, arguments, optimizer)) for name, arguments in LEAVES], *COMBINED])


@pytest.mark.parametrize(("_name", "make"), ALL)
def test_a_first_step_before_the_optimizer_is_refused(_name, make):
    optimizer = an_optimizer()
    scheduler = make(optimizer)
    before = scheduler.state_dict()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"called before optimizer.step\(\), which "
                                               "would skip the first rate, .*preview"):
            scheduler.step()
        assert scheduler.state_dict() == before
    optimizer.step()
    scheduler.step()
    scheduler.step()  # a step that the optimizer skips later on, for a nan, is its own affair


def test_steps_before_the_scheduler_was_made_do_not_count():
    optimizer = an_optimizer()
    optimizer.step()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.raises(RuntimeError, match="before optimizer.step"):
        scheduler.step()


def test_a_step_of_the_optimizer_that_fails_does_not_count():
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    w = optimizer.param_groups[0]["params"][0]
    w.grad = np.ones(1)
    w.numpy().flags.writeable = False
    with pytest.raises(ValueError, match="read-only|writ"):
        optimizer.step()
    assert optimizer.steps_taken == 0
    with pytest.raises(RuntimeError, match="before optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_the_order(stepped, copied):
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    if stepped:
        optimizer.step()
    optimizer, scheduler = copied((optimizer, scheduler))
    assert scheduler.optimizer is optimizer
    if not stepped:
        with pytest.raises(RuntimeError, match="before optimizer.step"):
            scheduler.step()
        optimizer.step()
    scheduler.step()


@pytest.mark.parametrize("stepped", [False, True])
def test_a_state_knows_whether_the_optimizer_stepped(stepped):
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    if stepped:
        optimizer.step()
    state = scheduler.state_dict()
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    scheduler.load_state_dict(state)
    if not stepped:
        with pytest.raises(RuntimeError, match="before optimizer.step"):
            scheduler.step()
        optimizer.step()
    scheduler.step()


@pytest.mark.parametrize(("_name", "make"), ALL)
def test_preview(_name, make):
    optimizer = an_optimizer()
    scheduler = make(optimizer)
    before = scheduler.state_dict(), optimizer.state_dict()
    shown = scheduler.preview(150)
    assert (scheduler.state_dict(), optimizer.state_dict()) == before
    assert shown == run(optimizer, scheduler, 150)
    later = scheduler.preview(3)
    assert later[0] == rates_of(optimizer)
    assert later == run(optimizer, scheduler, 3)
    assert scheduler.preview(0) == []


# ---- states ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["before", "after", "between"])
@pytest.mark.parametrize("steps", [0, 1, 7, 16])
@pytest.mark.parametrize(("_name", "make"), ALL)
def test_a_resumed_schedule_goes_on(_name, make, steps, order):
    optimizer = an_optimizer()
    scheduler = make(optimizer)
    run(optimizer, scheduler, steps)
    states = json.loads(json.dumps(scheduler.state_dict())), optimizer.state_dict()
    fresh = an_optimizer(rates=[9.0, 9.0, 9.0])
    if order == "before":
        fresh.load_state_dict(states[1])
    resumed = make(fresh)
    if order == "between":
        fresh.load_state_dict(states[1])
    resumed.load_state_dict(states[0])
    if order == "after":
        fresh.load_state_dict(states[1])
    assert resumed.state_dict() == scheduler.state_dict()
    assert fresh.state_dict() == optimizer.state_dict()
    assert run(fresh, resumed, 30) == run(optimizer, scheduler, 30)
    assert fresh.state_dict() == optimizer.state_dict()


def test_a_resumed_plateau_goes_on():
    metrics = [5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3]
    optimizer = an_optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, cooldown=1)
    for metric in metrics[:5]:
        scheduler.step(metric)
    state = json.loads(json.dumps(scheduler.state_dict()))
    fresh = an_optimizer(rates=[9.0, 9.0, 9.0])
    resumed = lr_scheduler.ReduceLROnPlateau(fresh)
    resumed.load_state_dict(state)
    for metric in metrics[5:]:
        scheduler.step(metric)
        resumed.step(metric)
        assert rates_of(fresh) == rates_of(optimizer)
    assert resumed.state_dict() == scheduler.state_dict()


def test_two_schedules_side_by_side_may_be_loaded_in_any_order():
    def both(optimizer):
        return [lr_scheduler.ExponentialLR(optimizer, 0.9),
                lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)]

    optimizer = an_optimizer()
    schedulers = both(optimizer)
    for metric in [1, 1, 0.5]:
        optimizer.step()
        schedulers[0].step()
        schedulers[1].step(metric)
    states = [scheduler.state_dict() for scheduler in schedulers]
    for order in [(0, 1), (1, 0)]:
        fresh = an_optimizer()
        loaded = both(fresh)
        for i in order:
            loaded[i].load_state_dict(states[i])
        assert rates_of(fresh) == rates_of(optimizer)


def test_a_state_holds_plain_things_only():
    optimizer = an_optimizer(rates=[np.float64(0.1)])
    scheduler = lr_scheduler.SequentialLR(optimizer, [
        lr_scheduler.StepLR(optimizer, np.int64(3), np.float32(0.5)),
        lr_scheduler.MultiStepLR(optimizer, np.array([2, 4])),
        lr_scheduler.LambdaLR(optimizer, lambda t: t)], (i for i in [2, 4]))
    kinds = set()

    def collect(x):
        kinds.add(type(x))
        for item in x.values() if isinstance(x, dict) else x if isinstance(x, list) else []:
            collect(item)

    collect(scheduler.state_dict())
    assert kinds == {dict, list, int, float, bool}
    assert "lr_lambdas" not in scheduler._schedulers[2].state_dict()


def test_numbers_of_numpy_do_not_lower_the_precision():
    """As they would: a Python float times a np.float32 is a np.float32."""
    optimizer = an_optimizer(rates=[np.float32(0.1)])
    scheduler = lr_scheduler.ChainedScheduler([
        lr_scheduler.ExponentialLR(optimizer, np.float32(0.9)),
        lr_scheduler.CosineAnnealingLR(optimizer, np.int32(9), np.float32(0.001)),
        lr_scheduler.MultiStepLR(optimizer, np.array([2]), np.float32(0.5))])
    run(optimizer, scheduler, 4)
    fresh = an_optimizer(rates=[0.0])
    resumed = lr_scheduler.ChainedScheduler([
        lr_scheduler.ExponentialLR(fresh, 1), lr_scheduler.CosineAnnealingLR(fresh, 1),
        lr_scheduler.MultiStepLR(fresh, [])])
    resumed.load_state_dict(scheduler.state_dict())
    rows = run(fresh, resumed, 9)
    assert rows == run(optimizer, scheduler, 9)
    assert {type(rate) for row in rows for rate in row} == {float}


def test_a_state_is_a_copy():
    optimizer = an_optimizer()
    scheduler = lr_scheduler.MultiStepLR(optimizer, [2, 4])
    state = scheduler.state_dict()
    before = copy.deepcopy(state)
    run(optimizer, scheduler, 5)
    assert state == before
    scheduler.load_state_dict(state)
    scheduler.milestones.append(7)
    scheduler.get_last_lr().append(3)
    assert state == before
    assert len(scheduler.get_last_lr()) == 3


def changed(**entries):
    return lambda state: {**state, **entries}


BAD_STATES = [
    (lambda state: [], TypeError, "expects a dict"),
    (lambda state: {}, ValueError, "missing entries .*gamma.*unexpected entries .."),
    (changed(optimizer=None, step=3), ValueError, r"unexpected entries .'optimizer', 'step'"),
    (changed(last_epoch=-1), ValueError, "last_epoch to be an integer, 0 or more; got -1"),
    (changed(last_epoch="3"), TypeError, "last_epoch"),
    (changed(last_epoch=2.5), ValueError, "last_epoch"),
    (changed(base_lrs=[0.1]), ValueError, "base_lrs must have the same length"),
    (changed(lr=[0.1, 0.2, -0.3]), ValueError, "Invalid lr: -0.3"),
    (changed(lr=[0.1, 0.2, math.nan]), ValueError, "Invalid lr: nan"),
    (changed(lr={}), TypeError, "Invalid lr"),
    (changed(_last_lr="abc"), TypeError, "Invalid _last_lr"),
    (changed(step_size=0), ValueError, "step_size"),
    (changed(gamma="0.1"), TypeError, "gamma"),
    (changed(gamma=[]), TypeError, "gamma"),
    (changed(started=1), TypeError, "started"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(change, error, message):
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 3)
    run(optimizer, scheduler, 4)
    before = copy.deepcopy(vars(scheduler) | {"optimizer": None}), rates_of(optimizer)
    with pytest.raises(error, match=message):
        scheduler.load_state_dict(change(scheduler.state_dict()))
    assert (vars(scheduler) | {"optimizer": None}, rates_of(optimizer)) == before


@pytest.mark.parametrize("inner", [None, {}, [], [{}, {}], [1, 2]])
def test_a_combined_state_that_does_not_fit_changes_nothing(inner):
    optimizer = an_optimizer()
    scheduler = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 3),
                                               lr_scheduler.ExponentialLR(optimizer, 0.9)])
    before = scheduler.state_dict()
    good = copy.deepcopy(before)
    good["_schedulers"][0]["last_epoch"] = 7
    good["_schedulers"][1]["gamma"] = -1
    for state in [{**before, "_schedulers": inner}, good, inner]:
        with pytest.raises((TypeError, ValueError)):
            scheduler.load_state_dict(state)
        assert scheduler.state_dict() == before


def test_states_of_other_kinds():
    optimizer = an_optimizer()
    exponential = lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.raises(ValueError, match="this is no state of StepLR: missing entries "
                                         r"\['step_size'\], unexpected entries \[\]"):
        lr_scheduler.StepLR(optimizer, 3).load_state_dict(exponential.state_dict())


# ---- last_epoch ------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 7, 20])
@pytest.mark.parametrize(("name", "arguments"), numbered(LEAVES))
def test_last_epoch_takes_up_a_schedule(name, arguments, steps):
    """From the optimizer's state alone, and the number of epochs that were finished."""
    optimizer = an_optimizer()
    scheduler = made(name, arguments, optimizer)
    run(optimizer, scheduler, steps)
    fresh = an_optimizer(rates=[9.0, 9.0, 9.0])
    fresh.load_state_dict(optimizer.state_dict())
    resumed = made(name, arguments, fresh, last_epoch=steps - 1)
    assert resumed.last_epoch == scheduler.last_epoch
    assert rates_of(fresh) == rates_of(optimizer)
    resumed.step()  # the optimizer may have stepped before the state was saved
    scheduler.step()
    assert run(fresh, resumed, 30) == run(optimizer, scheduler, 30)


def test_last_epoch_of_one_cycle():
    optimizer = an_optimizer("Adam")
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.5, 50)
    run(optimizer, scheduler, 20)
    fresh = an_optimizer("Adam")
    fresh.load_state_dict(optimizer.state_dict())
    resumed = lr_scheduler.OneCycleLR(fresh, 0.5, 50, last_epoch=19)
    assert run(fresh, resumed, 30) == run(optimizer, scheduler, 30)
    assert fresh.param_groups[0]["betas"] == optimizer.param_groups[0]["betas"]


@pytest.mark.parametrize("name", ["StepLR", "LinearLR", "CosineAnnealingLR"])
def test_last_epoch_needs_the_first_rates(name):
    with pytest.raises(KeyError, match="initial_lr.*load the optimizer's state first"):
        made(name, (3,) if name != "LinearLR" else (), an_optimizer(), last_epoch=3)


# ---- a schedule of one's own -----------------------------------------------------------


class Halves(lr_scheduler.LRScheduler):
    def get_lr(self):
        return [base / 2 ** self.last_epoch for base in self.base_lrs]


class Failing(Halves):
    unsaved = (*Halves.unsaved, "failure")
    failure = None

    def get_lr(self):
        if self.last_epoch == 3 and self.failure:
            raise self.failure
        return super().get_lr()


def test_a_schedule_of_ones_own():
    optimizer = an_optimizer(rates=[1.0, 2.0])
    scheduler = Halves(optimizer)
    assert run(optimizer, scheduler, 3) == [[1, 2], [0.5, 1], [0.25, 0.5]]
    with pytest.raises(NotImplementedError):
        lr_scheduler.LRScheduler(optimizer)
    scheduler.function = len
    with pytest.raises(TypeError, match="got builtin_function_or_method in 'function'"):
        scheduler.state_dict()


@pytest.mark.parametrize("combined", [
    lambda optimizer, inner: inner,
    lambda optimizer, inner: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(optimizer, 0.5), inner]),
    lambda optimizer, inner: lr_scheduler.SequentialLR(optimizer, [inner], []),
])
@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
def test_a_step_that_fails_changes_nothing(combined, failure):
    optimizer = an_optimizer()
    inner = Failing(optimizer)
    scheduler = combined(optimizer, inner)
    run(optimizer, scheduler, 2)
    inner.failure = failure
    before = scheduler.state_dict(), inner.state_dict(), optimizer.state_dict()
    with pytest.raises(type(failure)):
        scheduler.step()
    assert (scheduler.state_dict(), inner.state_dict(), optimizer.state_dict()) == before


def test_a_rate_below_zero_is_refused():
    class Climbing(Halves):
        def get_lr(self):
            return [base - 0.3 * self.last_epoch for base in self.base_lrs]

    optimizer = an_optimizer()
    scheduler = Climbing(optimizer)
    optimizer.step()
    with pytest.raises(ValueError, match="Invalid learning rate: -0.1"):
        scheduler.step()
    assert rates_of(optimizer) == RATES


def test_groups_that_come_later():
    optimizer = an_optimizer(rates=[1.0])
    multiplying = lr_scheduler.StepLR(optimizer, 1, 0.5)
    formula = lr_scheduler.InverseTimeLR(optimizer, 1.0)
    optimizer.add_param_group({"params": parameter(), "lr": 3.0})
    optimizer.step()
    multiplying.step()
    assert rates_of(optimizer) == [0.5, 1.5]
    with pytest.raises(ValueError, match="rates for 1 parameter groups, the optimizer has 2"):
        formula.step()
    assert rates_of(optimizer) == [0.5, 1.5]


# ---- bad input -------------------------------------------------------------------------

REFUSED = [
    ("StepLR", (0,), ValueError), ("StepLR", (-3,), ValueError), ("StepLR", (2.5,), ValueError),
    ("StepLR", ("3",), TypeError), ("StepLR", (3, -0.1), ValueError),
    ("StepLR", (True,), TypeError),
    ("MultiStepLR", ([30, 10],), ValueError), ("MultiStepLR", ([1.5],), ValueError),
    ("MultiStepLR", ([-1],), ValueError), ("MultiStepLR", (5,), TypeError),
    ("MultiStepLR", (["1"],), TypeError), ("MultiStepLR", ([1], math.nan), ValueError),
    ("ConstantLR", (1.1,), ValueError), ("ConstantLR", (0,), ValueError),
    ("ConstantLR", (-0.1,), ValueError), ("ConstantLR", (0.5, 0), ValueError),
    ("LinearLR", (0,), ValueError), ("LinearLR", (1.1,), ValueError),
    ("LinearLR", (0.5, -0.1), ValueError), ("LinearLR", (0.5, 1.1), ValueError),
    ("LinearLR", (0.5, 1, 0), ValueError), ("LinearLR", ("a",), TypeError),
    ("ExponentialLR", (-1,), ValueError), ("ExponentialLR", (None,), TypeError),
    ("PolynomialLR", (0,), ValueError), ("PolynomialLR", (3, -1), ValueError),
    ("CosineAnnealingLR", (0,), ValueError), ("CosineAnnealingLR", (2.5,), ValueError),
    ("CosineAnnealingLR", (3, -1), ValueError), ("CosineAnnealingLR", (3, "a"), TypeError),
    ("CosineAnnealingWarmRestarts", (0,), ValueError),
    ("CosineAnnealingWarmRestarts", (2.5,), ValueError),
    ("CosineAnnealingWarmRestarts", (2, 0), ValueError),
    ("CosineAnnealingWarmRestarts", (2, 1.5), ValueError),
    ("CosineAnnealingWarmRestarts", (2, 1, "a"), ValueError),
    ("LambdaLR", (0.5,), TypeError), ("LambdaLR", ([len],), ValueError),
    ("LambdaLR", ([len, len, 3],), TypeError), ("LambdaLR", (lambda t: "a",), TypeError),
    ("LambdaLR", (lambda t: -1,), ValueError), ("LambdaLR", (lambda t: None,), TypeError),
    ("InverseTimeLR", (-1,), ValueError), ("InverseTimeLR", ("a",), TypeError),
    ("OneCycleLR", (0.1,), ValueError), ("OneCycleLR", (0.1, 0), ValueError),
    ("OneCycleLR", (0.1, 2.5), ValueError), ("OneCycleLR", (0.1, None, 3), ValueError),
    ("OneCycleLR", (0.1, None, None, 3), ValueError),
    ("OneCycleLR", (0.1, None, 0, 3), ValueError),
    ("OneCycleLR", (0.1, None, 3, -1), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 2.0), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, -0.5), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 1), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 0.3, "cubic"), ValueError),
    ("OneCycleLR", ([0.1], 9), ValueError), ("OneCycleLR", (-0.1, 9), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 0.3, "cos", True, [0.8]), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 0.3, "cos", True, 0.8, -1), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 0.3, "cos", True, 0.8, 0.9, 0), ValueError),
    ("OneCycleLR", (0.1, 9, None, None, 0.3, "cos", True, 0.8, 0.9, 25, 0), ValueError),
    ("ReduceLROnPlateau", ("low",), ValueError),
    ("ReduceLROnPlateau", ("min", 1.0), ValueError),
    ("ReduceLROnPlateau", ("min", -0.1), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, -1), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, 1, -1), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, 1, 0.1, "no"), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, 1, 0.1, "abs", -1), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, 1, 0.1, "abs", 1, [1]), ValueError),
    ("ReduceLROnPlateau", ("min", 0.1, 1, 0.1, "abs", 1, 0, -1), ValueError),
]


@pytest.mark.parametrize(("name", "arguments", "error"), REFUSED)
def test_refused_arguments_change_nothing(name, arguments, error):
    optimizer = an_optimizer(momentum=0.5)
    before = optimizer.state_dict()
    with pytest.raises(error):
        made(name, arguments, optimizer)
    if name != "LambdaLR" or not callable(arguments[0]):
        assert optimizer.state_dict() == before
    assert rates_of(optimizer) == RATES


@pytest.mark.parametrize("name", lr_scheduler.__all__)
@pytest.mark.parametrize("thing", [None, 3, [], tg.nn.Linear(1, 1)])
def test_something_that_is_no_optimizer(name, thing):
    arguments = {"ReduceLROnPlateau": (), "LRScheduler": (), "LambdaLR": (len,),
                 "MultiStepLR": ([],), "OneCycleLR": (0.1, 5)}.get(name, (1,))
    if name in ("SequentialLR", "ChainedScheduler"):
        scheduler = lr_scheduler.StepLR(an_optimizer(), 3)
        with pytest.raises(ValueError, match="same optimizer"):
            lr_scheduler.SequentialLR(thing, [scheduler], [])
    else:
        with pytest.raises(TypeError, match="is not an Optimizer"):
            made(name, arguments, thing)


def test_refused_combinations():
    optimizer, other = an_optimizer(), an_optimizer()
    step = lr_scheduler.StepLR(optimizer, 3)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    foreign = lr_scheduler.StepLR(other, 3)
    for kind in [lambda *parts: lr_scheduler.ChainedScheduler(parts),
                 lambda *parts: lr_scheduler.SequentialLR(optimizer, parts,
                                                          [3] * (len(parts) - 1))]:
        for parts, error, message in [
                ((), ValueError, "at least one scheduler"),
                ((step, 3), TypeError, "got int at index 1"),
                ((3,), TypeError, "got int at index 0"),
                ((step, plateau), ValueError, "does not support ReduceLROnPlateau.*index 1"),
                ((step, foreign), ValueError, "same optimizer; the one at index 1")]:
            with pytest.raises(error, match=message):
                kind(*parts)
    with pytest.raises(ValueError, match="same optimizer"):
        lr_scheduler.ChainedScheduler([step], other)
    for milestones, message in [([], "one milestone fewer than schedulers, 2; got 0"),
                                ([1, 2, 3], "2; got 3"), ([5, 3], "increasing order"),
                                ([-1, 3], "0 or more"), ([1.5, 3], "integer")]:
        with pytest.raises(ValueError, match=message):
            lr_scheduler.SequentialLR(optimizer, [step] * 3, milestones)
    with pytest.raises(ValueError, match="load_state_dict"):
        lr_scheduler.SequentialLR(optimizer, [step], [], last_epoch=3)
    with pytest.raises(ValueError, match="neither momentum nor betas.*cycle_momentum=False"):
        lr_scheduler.OneCycleLR(an_optimizer("Adagrad"), 0.1, 5)
    with pytest.raises(ValueError, match="Invalid max_momentum: 1.5; .* below 1"):
        lr_scheduler.OneCycleLR(an_optimizer("Adam"), 0.1, 5, max_momentum=1.5)


def test_bad_steps():
    optimizer = an_optimizer()
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    restarts = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3)
    for call, error in [
            (lambda: plateau.step(), TypeError), (lambda: plateau.step("a"), ValueError),
            (lambda: plateau.step([1]), TypeError), (lambda: plateau.step(None), TypeError),
            (lambda: restarts.step(-1), ValueError), (lambda: restarts.step("a"), TypeError),
            (lambda: restarts.step(math.nan), ValueError),
            (lambda: restarts.preview(-1), ValueError),
            (lambda: restarts.preview(2.5), ValueError)]:
        before = plateau.state_dict(), restarts.state_dict()
        with pytest.raises(error):
            call()
        assert (plateau.state_dict(), restarts.state_dict()) == before


def test_lambdas_that_fail_later():
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t)
    run(optimizer, scheduler, 1)
    with pytest.raises(ValueError, match="factor from lr_lambda at epoch 2: -1"):
        scheduler.step()
    assert scheduler.last_epoch == 1


# ---- parity with PyTorch ---------------------------------------------------------------


def theirs(torch, kind="SGD", rates=RATES, **settings):
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return getattr(torch.optim, kind)(groups, **settings)


def settings_of(optimizer):
    return [(group["lr"], group.get("momentum"), group.get("betas"))
            for group in optimizer.param_groups]


def compare(torch, make, steps, kind="SGD", **settings):
    """Hold both libraries to the same numbers, to the last bit, at every epoch."""
    pairs = [(an_optimizer(kind, **settings), lr_scheduler),
             (theirs(torch, kind, **settings), torch.optim.lr_scheduler)]
    (ours, own), (other, foreign) = [(x, make(module, x)) for x, module in pairs]
    for _ in range(steps):
        for mine, its in zip(settings_of(ours), settings_of(other)):
            if its[0] < 0:  # PyTorch's rounding passes a rate of 0
                assert its[0] > -1e-15
                its = (0.0, *its[1:])
            assert mine == its
        for optimizer, scheduler in [(ours, own), (other, foreign)]:
            optimizer.step()
            scheduler.step()
    return own, foreign


@pytest.mark.parity
@pytest.mark.parametrize(("name", "arguments"),
                         numbered(row for row in LEAVES if row[0] != "InverseTimeLR"))
def test_values_are_those_of_torch(name, arguments):
    torch = pytest.importorskip("torch")
    compare(torch, lambda module, x: getattr(module, name)(x, *arguments), 300)


ONE_CYCLES = [
    {}, {"anneal_strategy": "linear"}, {"three_phase": True}, {"pct_start": 0.0},
    {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45},
    {"pct_start": 1.0}, {"base_momentum": [0.5, 0.6, 0.7], "max_momentum": 0.99},
    {"max_lr": [0.1, 0.2, 0.7], "div_factor": 3, "final_div_factor": 7.0},
    {"cycle_momentum": False}, {"three_phase": True, "pct_start": 0.8},
]


@pytest.mark.parity
@pytest.mark.parametrize("options", ONE_CYCLES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("length", [{"total_steps": 201}, {"epochs": 7, "steps_per_epoch": 30}])
def test_one_cycle_is_that_of_torch(kind, options, length):
    torch = pytest.importorskip("torch")
    settings = {"max_lr": 0.3, **options, **length}
    steps = settings.get("total_steps", 210)
    compare(torch, lambda module, x: module.OneCycleLR(x, **settings), steps - 1, kind,
            **({"momentum": 0.5} if kind == "SGD" else {}))


def drawn(rng):
    """A random schedule that multiplies, or is a formula; a function of module and x."""
    name, arguments = rng.choice([
        ("StepLR", (rng.randint(1, 30), rng.random())),
        ("MultiStepLR", (sorted(rng.choices(range(60), k=4)), rng.random())),
        ("ConstantLR", (rng.uniform(0.01, 1), rng.randint(1, 40))),
        ("LinearLR", (rng.uniform(0.01, 1), rng.random(), rng.randint(1, 40))),
        ("ExponentialLR", (rng.uniform(0.8, 1.05),)),
        ("PolynomialLR", (rng.randint(1, 60), rng.uniform(0, 3))),
        ("CosineAnnealingLR", (rng.randint(1, 60),)),
        ("CosineAnnealingWarmRestarts", (rng.randint(1, 30), rng.randint(1, 3), 0.01)),
        ("LambdaLR", ([lambda t: 0.9 ** t, lambda t: 1 / (1 + t), lambda t: t],)),
    ])
    return lambda module, x: getattr(module, name)(x, *arguments)


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(20))
def test_combinations_are_those_of_torch(seed):
    torch = pytest.importorskip("torch")
    rng = random.Random(seed)
    parts = [drawn(rng) for _ in range(rng.randint(1, 4))]
    milestones = sorted(rng.choices(range(100), k=len(parts) - 1))
    compare(torch, lambda module, x: module.ChainedScheduler([
        part(module, x) for part in parts]), 200)
    compare(torch, lambda module, x: module.SequentialLR(x, [
        part(module, x) for part in parts], milestones), 200)
    compare(torch, lambda module, x: module.ChainedScheduler([module.SequentialLR(x, [
        part(module, x) for part in parts], milestones), module.StepLR(x, 9)]), 100)


@pytest.mark.parity
def test_a_cycle_after_a_warm_up_is_that_of_torch():
    torch = pytest.importorskip("torch")
    compare(torch, lambda module, x: module.SequentialLR(x, [
        module.LinearLR(x, 0.1, 1.0, 9), module.CosineAnnealingLR(x, 20, 0.003),
        module.OneCycleLR(x, 0.4, 220)], [10, 30]), 240)


@pytest.mark.parity
@pytest.mark.parametrize("T_mult", [1, 2, 3])
def test_fractions_of_epochs_are_those_of_torch(T_mult):
    torch = pytest.importorskip("torch")
    ours, other = an_optimizer(), theirs(torch)
    own = lr_scheduler.CosineAnnealingWarmRestarts(ours, 7, T_mult, 0.01)
    foreign = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(other, 7, T_mult, 0.01)
    for i in range(300):
        for scheduler in (own, foreign):
            scheduler.step(i * 0.37) if i % 5 else scheduler.step(i)
        assert rates_of(ours) == rates_of(other)
        assert (own.last_epoch, own.T_cur) == (foreign.last_epoch, foreign.T_cur)


@pytest.mark.parity
@pytest.mark.parametrize("options", [
    {}, {"patience": 1}, {"patience": 0, "cooldown": 3}, {"patience": 2, "min_lr": 0.01},
    {"patience": 0, "min_lr": [0.05, 0, 0.1]}, {"patience": 0, "eps": 1e-3, "factor": 0.7},
])
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold", [{}, {"threshold_mode": "abs", "threshold": 0.05},
                                       {"threshold": 0.1}])
def test_plateau_is_that_of_torch(options, mode, threshold):
    torch = pytest.importorskip("torch")
    ours, other = an_optimizer(), theirs(torch)
    arguments = {"mode": mode, **options, **threshold}
    own = lr_scheduler.ReduceLROnPlateau(ours, **arguments)
    foreign = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **arguments)
    rng = random.Random(0)
    for i in range(220):
        metric = abs(rng.gauss(1, 0.3)) + math.exp(-i / 30) if i % 50 else math.nan
        own.step(metric)
        foreign.step(metric)
        assert rates_of(ours) == rates_of(other)
        for name in ("num_bad_epochs", "cooldown_counter", "best", "last_epoch"):
            assert getattr(own, name) == getattr(foreign, name)


@pytest.mark.parity
@pytest.mark.parametrize("steps", [3, 7])
@pytest.mark.parametrize(("name", "arguments"), numbered(
    row for row in LEAVES if row[0] != "InverseTimeLR" and row[1] != (1,)))
def test_last_epoch_is_that_of_torch(name, arguments, steps):
    """Elsewhere than at a milestone, where PyTorch cuts the rate a second time, and within
    the second cycle of growing ones, after which its position is another than it was."""
    torch = pytest.importorskip("torch")
    ours, other = an_optimizer(), theirs(torch)
    for optimizer in (ours, other):
        for group in optimizer.param_groups:
            group["initial_lr"] = 2 * group["lr"]
    own = made(name, arguments, ours, last_epoch=steps)
    foreign = getattr(torch.optim.lr_scheduler, name)(other, *arguments, last_epoch=steps)
    for _ in range(220):
        assert own.last_epoch == foreign.last_epoch
        assert rates_of(ours) == [max(rate, 0) for rate in rates_of(other)]
        other.step()
        own.step()
        foreign.step()


@pytest.mark.parity
@pytest.mark.parametrize("name", [x for x in lr_scheduler.__all__ if x != "InverseTimeLR"])
def test_arguments_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    ours = inspect.signature(getattr(lr_scheduler, name)).parameters
    other = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters
    assert [(p.name, p.default) for p in ours.values()] == \
        [(p.name, p.default) for p in other.values()]


@pytest.mark.parity
@pytest.mark.parametrize(("name", "arguments", "error"), [
    row for row in REFUSED if row[0] != "InverseTimeLR"])
def test_errors_are_of_the_class_of_torch(name, arguments, error):
    """Where PyTorch raises at all, and does not merely divide by zero."""
    torch = pytest.importorskip("torch")
    try:
        getattr(torch.optim.lr_scheduler, name)(theirs(torch, momentum=0.5), *arguments)
    except ZeroDivisionError:
        assert error is ValueError
    except Exception as other:
        assert type(other) is error
