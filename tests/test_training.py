"""tg.fit and what goes with it: the same numbers as the loop by hand, callbacks, averages."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import functional as F
from tinygrad_lite.nn import utils
from tinygrad_lite.optim import lr_scheduler


def make_net(seed=0):
    tg.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def make_data(n=17, batch_size=4, shuffle=False):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype("float32")
    return tg.data.DataLoader(x, (x.sum(axis=1) > 0).astype("int64"), batch_size=batch_size,
                              shuffle=shuffle, seed=1)


def fit(net, epochs=3, **options):
    """A quiet fit on the data above, with plain SGD."""
    options = {"train": make_data(), "progress": False, **options}
    optimizer = options.pop("optimizer", None) or tg.optim.SGD(net.parameters(), lr=0.1)
    return tg.fit(net, nn.CrossEntropyLoss(), optimizer, epochs=epochs, **options)


class Doubling(nn.Module):
    """A net that notes its mode, and doubles its input."""

    def __init__(self):
        self.inner = nn.Linear(3, 2)
        self.modes = []

    def forward(self, x):
        self.modes.append((self.training, self.inner.training))
        return self.inner(2 * x)


def assert_same_weights(one, other):
    for (name, w), v in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_array_equal(w, v, err_msg=name)


# ---- the loop --------------------------------------------------------------------------


def test_fit_is_the_loop_by_hand():
    net, twin = make_net(), make_net()
    history = fit(net, train=make_data(shuffle=True), valid=make_data(7, 3),
                  metrics={"accuracy": tg.accuracy})
    optimizer = tg.optim.SGD(twin.parameters(), lr=0.1)
    train, valid = make_data(shuffle=True), make_data(7, 3)
    for record in history:
        losses, right, n = 0.0, 0, 0
        for x, t in train:
            optimizer.zero_grad()
            y = twin(x)
            loss = F.cross_entropy(y, t)
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(t)
            right += np.count_nonzero(y.numpy().argmax(axis=1) == t)
            n += len(t)
        assert record["train_loss"] == pytest.approx(losses / n, rel=1e-12)
        assert record["train_accuracy"] == pytest.approx(right / n, rel=1e-12)
        x, t = valid.arrays
        assert record["valid_loss"] == pytest.approx(F.cross_entropy(twin(x), t).item(), 1e-5)
        assert record["valid_accuracy"] == np.mean(twin(x).numpy().argmax(axis=1) == t)
    assert_same_weights(net, twin)
    assert history.columns == ["epoch", "train_loss", "train_accuracy", "valid_loss",
                               "valid_accuracy", "lr", "seconds"]
    assert history["epoch"] == [1, 2, 3]
    assert history["lr"] == [0.1] * 3


def test_several_inputs_and_a_loss_that_is_a_function():
    class Sum(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(3, 1)

        def forward(self, a, b):
            return self.layer(a) + b

    net = Sum()
    a, b = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    batches = [(a, b, b)]
    history = tg.fit(net, F.mse_loss, tg.optim.SGD(net.parameters(), lr=0.05), batches,
                     epochs=50, progress=False)
    assert history[-1]["train_loss"] < 1e-3 * history[0]["train_loss"]


def test_modes():
    """Training mode in training, evaluation mode for `valid`, then what it was between."""
    net = Doubling().eval()
    net.inner.training = True
    fit(net, 2, valid=make_data(3, 3), train=make_data(4, 4))
    assert net.modes == [(True, True), (False, False)] * 2
    assert net.training
    net.eval()
    net.inner.training = True
    tg.evaluate(net, F.cross_entropy, make_data())
    assert (net.training, net.inner.training) == (False, True)


def test_modes_come_back_after_an_error():
    net = Doubling()
    with pytest.raises(RuntimeError, match="linear expects"):
        tg.predict(net, np.ones((2, 4)))
    assert net.training
    assert tg.ones(1, requires_grad=True).exp().requires_grad


def test_no_epochs():
    net, calls = make_net(), []

    class Moments(tg.Callback):
        def at_start(self, run):
            calls.append(("start", run.epoch))

        def at_end(self, run):
            calls.append(("end", run.epoch))

    assert len(fit(net, 0, callbacks=[Moments()])) == 0
    assert calls == [("start", 0), ("end", 0)]
    assert_same_weights(net, make_net())


def test_an_earlier_history_goes_on():
    net = make_net()
    optimizer = tg.optim.SGD(net.parameters(), lr=0.1)
    first = fit(net, 2, optimizer=optimizer)
    again = fit(net, 3, optimizer=optimizer, history=first)
    assert again is first
    assert first["epoch"] == [1, 2, 3, 4, 5]
    whole = make_net()
    assert fit(whole, 5)["train_loss"] == first["train_loss"]
    assert_same_weights(net, whole)


def test_an_interrupted_training_leaves_its_history():
    history = tg.History()

    def interrupt(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make_net(), 5, history=history, callbacks=[interrupt])
    assert len(history) == 2


def test_order_of_the_moments():
    calls = []

    class Moments(tg.Callback):
        def at_start(self, *_):
            calls.append("start")

        def after_batch(self, run):
            calls.append(run.epoch)

        def after_epoch(self, run):
            calls.append(f"epoch {run.epoch}: {len(run.history)}")

        def at_end(self, *_):
            calls.append("end")

    fit(make_net(), 2, train=make_data(8), callbacks=[Moments(), lambda run: calls.append("f")])
    assert calls == ["start", 1, 1, "epoch 1: 1", "f", 2, 2, "epoch 2: 2", "f", "end"]


def test_stop():
    def stop(run):
        run.stop = run.epoch == 2

    assert len(fit(make_net(), 5, callbacks=[stop])) == 2


def halving(optimizer):
    return lr_scheduler.ExponentialLR(optimizer, gamma=0.5)


class Watching(lr_scheduler.ReduceLROnPlateau):
    """It notes what it is given."""

    def step(self, metrics):
        self.seen = [*getattr(self, "seen", []), metrics]
        super().step(metrics)


@pytest.mark.parametrize(("each", "rates"), [
    ("epoch", [1.0, 0.5, 0.25]), ("batch", [1 / 4, 1 / 16, 1 / 64])])
def test_scheduler(each, rates):
    net = make_net()
    optimizer = tg.optim.SGD(net.parameters(), lr=1.0)
    history = fit(net, train=make_data(8), optimizer=optimizer, scheduler=halving(optimizer),
                  scheduler_each=each)
    assert history["lr"] == rates


@pytest.mark.parametrize(("valid", "name"), [
    (None, "train_loss"), (make_data(4), "valid_loss")])
def test_scheduler_that_watches(valid, name):
    net = make_net()
    optimizer = tg.optim.SGD(net.parameters(), lr=1.0)
    scheduler = Watching(optimizer)
    history = fit(net, optimizer=optimizer, scheduler=scheduler, valid=valid)
    assert scheduler.seen == history[name]


def test_clip_norm():
    """One step of plain SGD at rate 1 is as long as the clipped gradient."""
    net = make_net()
    before = utils.parameters_to_vector(net.parameters()).numpy()
    fit(net, 1, optimizer=tg.optim.SGD(net.parameters(), lr=1.0), train=make_data(1, 1),
        clip_norm=1e-3)
    step = utils.parameters_to_vector(net.parameters()).numpy() - before
    assert np.linalg.norm(step) == pytest.approx(1e-3, rel=1e-2)


def refused(**options):
    net = make_net()
    optimizer = tg.optim.SGD(net.parameters())
    options = {"model": net, "loss": F.cross_entropy, "optimizer": optimizer,
               "train": make_data(), "progress": False, **options}
    tg.fit(**options)


@pytest.mark.parametrize(("options", "error", "words"), [
    ({"model": lambda x: x}, TypeError, "fit trains a Module; got function"),
    ({"epochs": -1}, ValueError, "epochs of 0 or more; got -1"),
    ({"train": []}, ValueError, "expected batches, got none"),
    ({"valid": []}, ValueError, "expected batches, got none"),
    ({"train": iter(make_data()), "epochs": 2}, ValueError, "generator is used up"),
    ({"train": [np.ones((2, 3))]}, TypeError, r"batches \(input, target\).*got ndarray"),
    ({"train": [(np.ones((2, 3)),)]}, TypeError, r"batches .*got tuple of 1"),
    ({"metrics": {"loss": tg.accuracy}}, ValueError, "cannot have the name 'loss'"),
    ({"callbacks": [3]}, TypeError, "callbacks are Callback objects.*got int"),
    ({"scheduler": halving(tg.optim.SGD([tg.Value(1.0)])), "scheduler_each": "step"},
     ValueError, "'epoch' or 'batch'; got 'step'"),
    ({"scheduler": Watching(tg.optim.SGD([tg.Value(1.0)])), "scheduler_each": "batch"},
     ValueError, "watches the loss steps each epoch"),
    ({"loss": lambda y, t: y}, RuntimeError, "scalar outputs"),
])
def test_fit_refuses(options, error, words):
    with pytest.raises(error, match=words):
        refused(**options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_it(bad):
    history = tg.History([{"epoch": 1, "train_loss": 1.0}])
    batches = [(np.full((2, 3), bad, "float32"), np.zeros(2, int))]
    with pytest.raises(FloatingPointError, match="epoch 2 is nan: try a smaller learning"), \
            np.errstate(all="ignore"):
        fit(make_net(), history=history, train=batches)
    assert len(history) == 1


def test_progress(monkeypatch, capsys):
    """A bar over all batches where someone sees it; silence without tqdm, or if unwanted."""
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fit(make_net(), 2, progress=True)
    shown = capsys.readouterr()
    assert "10/10" in shown.err
    assert "train_loss" in shown.err
    assert shown.out == ""
    fit(make_net(), 2, progress=False)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fit(make_net(), 2, progress=True)
    assert capsys.readouterr() == ("", "")


def test_no_bar_where_nobody_sees_it(capsys):
    fit(make_net(), 1, progress=True)
    assert capsys.readouterr() == ("", "")


# ---- History ---------------------------------------------------------------------------


def test_history():
    history = tg.History([{"epoch": 1, "loss": 0.123456}])
    history.append({"epoch": 2, "loss": 1e-7, "late": 3.0})
    assert len(history) == 2
    assert history.columns == ["epoch", "loss", "late"]
    assert history[-1]["late"] == 3.0
    assert history["late"] == [None, 3.0]
    assert [record["epoch"] for record in history] == [1, 2]
    assert repr(history) == ("epoch    loss  late\n"
                             "-----  ------  ----\n"
                             "    1  0.1235\n"
                             "    2   1e-07     3")
    assert repr(tg.History()) == "History of no epoch"
    with pytest.raises(KeyError, match=r"no record has 'lr'; there are \['epoch', 'loss'"):
        history["lr"]
    assert list(copy.deepcopy(history)) == list(pickle.loads(pickle.dumps(history)))


def test_a_history_keeps_its_own_records():
    record = {"loss": 1.0}
    history = tg.History([record])
    record["loss"] = 2.0
    assert history["loss"] == [1.0]


# ---- EarlyStopping ---------------------------------------------------------------------

WATCHED = [
    # numbers of the epochs, settings; after which epoch it stops, the best, its epoch
    ([3, 2, 1, 0], {"patience": 1}, None, 0, 4),
    ([1, 2, 3, 4], {"patience": 1}, 2, 1, 1),
    ([1, 2, 3, 4], {"patience": 0}, 2, 1, 1),
    ([1, 2, 3, 4], {"patience": 2}, 3, 1, 1),
    ([1, 2, 0, 3, 3, 3], {"patience": 2}, 5, 0, 3),
    ([1, 1, 1], {"patience": 2}, 3, 1, 1),
    ([1, 0.95, 0.85, 0.8], {"patience": 2, "min_delta": 0.1}, None, 0.85, 3),
    ([1, 0.9, 0.8], {"patience": 2, "min_delta": 0.3}, 3, 1, 1),
    ([1, 2, 1, 1], {"patience": 2, "mode": "max"}, 4, 2, 2),
    ([np.nan, np.nan, 1], {"patience": 2}, 2, None, None),
    ([np.nan, 1, np.nan, 0], {"patience": 2}, None, 0, 4),
    ([np.inf, 1, 2], {"patience": 5}, None, 1, 2),
]


@pytest.mark.parametrize(("numbers", "settings", "stopped", "best", "best_epoch"), WATCHED)
@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping(numbers, settings, stopped, best, best_epoch, restore):
    net = nn.Linear(3, 2)
    weights = []

    def note(run):
        weights.append(run.model.state_dict())
        run.history[-1]["watched_loss"] = float(numbers[run.epoch - 1])

    early = tg.EarlyStopping("watched_loss", restore_best=restore, **settings)
    history = fit(net, len(numbers), callbacks=[note, early])
    assert early.stopped_epoch == stopped
    assert len(history) == (stopped or len(numbers))
    assert (early.best, early.best_epoch) == (best, best_epoch)
    kept = best_epoch if restore and best_epoch else len(history)
    for name, w in net.state_dict().items():
        np.testing.assert_array_equal(w, weights[kept - 1][name])


def test_early_stopping_begins_anew():
    early = tg.EarlyStopping("train_loss", patience=1)
    fit(make_net(), 3, callbacks=[early])
    best = early.best
    fit(make_net(), 1, callbacks=[early])
    assert early.best > best
    assert early.best_epoch == 1


@pytest.mark.parametrize(("arguments", "words"), [
    ({"patience": -1}, "patience and min_delta of 0 or more; got -1"),
    ({"min_delta": -0.1}, "of 0 or more"),
    ({"min_delta": math.nan}, "of 0 or more"),
    ({"mode": "least"}, "mode 'min' or 'max' for 'valid_loss'; got 'least'"),
    ({"monitor": "valid_accuracy"}, "mode 'min' or 'max' for 'valid_accuracy'; got None"),
])
def test_early_stopping_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        tg.EarlyStopping(**arguments)


def test_early_stopping_needs_its_number():
    with pytest.raises(KeyError, match=r"watches 'valid_loss'; the record has \['epoch'"):
        fit(make_net(), 1, callbacks=[tg.EarlyStopping()])


# ---- AveragedModel ---------------------------------------------------------------------


def mean_of(weights, decay):
    """The average that the formula says, in float64."""
    w = weights[0].astype("float64")
    for n, p in enumerate(weights[1:], 1):
        d = n / (n + 1) if decay is None else decay
        w = d * w + (1 - d) * p
    return w


@pytest.mark.parametrize("decay", [None, 0.0, 0.5, 0.9, 1.0])
def test_average_by_hand(decay):
    net = make_net()
    averaged = tg.AveragedModel(net, decay)
    seen = []
    for scale in [1.0, 3.0, -2.0, 0.5]:
        with tg.no_grad():
            for p in net.parameters():
                p *= scale
        averaged.update_parameters(net)
        seen.append(net.state_dict())
    assert averaged.n_averaged == 4
    for name, w in averaged.module.state_dict().items():
        wanted = mean_of([weights[name] for weights in seen], decay)
        np.testing.assert_allclose(w, wanted, rtol=1e-6, atol=1e-7)
        assert w.dtype == np.float32


def test_average_in_fit():
    """With a decay after each batch, without after each epoch, from `start` on."""
    per_batch, per_epoch = [], []

    class Note(tg.Callback):
        def after_batch(self, run):
            per_batch.append(run.model.state_dict())

        def after_epoch(self, run):
            per_epoch.append(run.model.state_dict())

    net = make_net()
    averages = [tg.AveragedModel(net, 0.7), tg.AveragedModel(net, 0.7, start=2),
                tg.AveragedModel(net), tg.AveragedModel(net, start=1)]
    fit(net, 3, callbacks=[Note(), *averages])
    seen = [per_batch, per_batch[10:], per_epoch, per_epoch[1:]]
    for averaged, weights in zip(averages, seen, strict=True):
        assert averaged.n_averaged == len(weights)
        for name, w in averaged.module.state_dict().items():
            wanted = mean_of([state[name] for state in weights], averaged.decay)
            np.testing.assert_allclose(w, wanted, rtol=1e-5, atol=1e-6)


def test_the_first_update_copies_even_over_nan():
    net = make_net()
    averaged = tg.AveragedModel(net, 0.9)
    averaged.module[0].weight.data = np.full((5, 3), np.nan)
    averaged.update_parameters(net)
    assert_same_weights(averaged.module, net)


def test_an_average_stands_for_itself():
    net = make_net()
    fit(net, 1)
    averaged = tg.AveragedModel(net, 0.9)
    assert all(p.grad is None for p in averaged.parameters())
    averaged.update_parameters(net)
    x = make_data().arrays[0]
    before = averaged(x).numpy()
    fit(net, 1)
    np.testing.assert_array_equal(averaged(x).numpy(), before)
    assert np.any(net(x).numpy() != before)
    np.testing.assert_array_equal(tg.predict(averaged, x), before)
    again = copy.deepcopy(averaged)
    assert (again.n_averaged, again.decay) == (1, 0.9)


def test_average_of_values():
    class Line(nn.Module):
        def __init__(self, a):
            self.a = tg.Value(a)

    line = Line(1.0)
    averaged = tg.AveragedModel(line)
    for a in [2.0, 4.0, 9.0]:
        line.a.data = a
        averaged.update_parameters(line)
    assert averaged.module.a.data == pytest.approx(5.0, rel=1e-15)
    assert type(averaged.module.a.data) is float


def test_buffers_are_those_of_now():
    class Counting(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter([1.0])
            self.count = tg.Tensor([0])

        def buffers(self):
            return [self.count]

    net = Counting()
    averaged = tg.AveragedModel(net)
    for i in range(3):
        net.count.data = [i]
        averaged.update_parameters(net)
    assert averaged.module.count.tolist() == [2]


def test_a_graph_of_the_average_notices_an_update():
    net = nn.Linear(3, 2)
    averaged = tg.AveragedModel(net, 0.5)
    averaged.update_parameters(net)
    y = (averaged(np.ones((1, 3), "float32")) * averaged.module.bias).sum()
    averaged.update_parameters(net)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize(("make", "words"), [
    (lambda: tg.AveragedModel(make_net(), 1.1), "decay None or from 0 to 1; got 1.1"),
    (lambda: tg.AveragedModel(make_net(), math.nan), "decay None or from 0 to 1; got nan"),
    (lambda: tg.AveragedModel(make_net(), start=-1), "start of 0 or more; got -1"),
    (lambda: tg.AveragedModel(make_net()).update_parameters(nn.Linear(3, 5)),
     "a model with parameters"),
])
def test_average_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parity
@pytest.mark.parametrize("decay", [None, 0.9])
def test_average_agrees_with_pytorch(decay):
    torch = pytest.importorskip("torch")
    swa = torch.optim.swa_utils
    kind = {} if decay is None else {"multi_avg_fn": swa.get_ema_multi_avg_fn(decay)}
    ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    averaged, wanted = tg.AveragedModel(ours, decay), swa.AveragedModel(theirs, **kind)
    rng = np.random.default_rng(0)
    for _ in range(5):
        for p in theirs.parameters():
            p.data = torch.tensor(rng.normal(size=p.shape), dtype=torch.float32)
        ours.load_state_dict(theirs.state_dict())
        averaged.update_parameters(ours)
        wanted.update_parameters(theirs)
    for name, w in wanted.module.state_dict().items():
        np.testing.assert_allclose(averaged.module.state_dict()[name], w.numpy(), rtol=1e-6,
                                   atol=1e-7)


# ---- evaluation ------------------------------------------------------------------------


def test_evaluate_counts_batches_by_their_length():
    x = np.arange(5.0)
    batches = [(x[:4], x[:4]), (x[4:], x[4:])]
    found = tg.evaluate(lambda a: a + 1, lambda y, t: np.mean(y * t), batches,
                        {"target": lambda _, t: t.mean()})
    assert found == {"loss": pytest.approx(np.mean((x + 1) * x)), "target": 2.0}


def test_evaluate_records_no_graph():
    seen = []
    net = make_net()
    tg.evaluate(net, F.cross_entropy, make_data(),
                {"graph": lambda y, _: seen.append(y.requires_grad) or 0.0})
    assert seen == [False] * 5


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
def test_predict(batch_size):
    net = make_net()
    x = make_data(5).arrays[0]
    with tg.no_grad():
        wanted = net(x).numpy()
    got = tg.predict(net, x, batch_size=batch_size)
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert got.dtype == np.float32


def test_predict_of_nothing_and_of_two():
    assert tg.predict(make_net(), np.ones((0, 3), "float32")).shape == (0, 2)
    x = np.arange(5.0)
    np.testing.assert_array_equal(tg.predict(lambda a, b: a * b, x, x, batch_size=2), x * x)


@pytest.mark.parametrize(("arguments", "options"), [((), {}), (([1.0],), {"batch_size": 0})])
def test_predict_refuses(arguments, options):
    with pytest.raises(ValueError, match="at least one input"):
        tg.predict(make_net(), *arguments, **options)


@pytest.mark.parametrize(("output", "target", "share"), [
    ([[1, 2], [3, 0], [0, 1]], [1, 0, 0], 2 / 3),
    ([[1, 2], [3, 0]], [[1], [0]], 1.0),
    ([[1, 2], [3, 0]], [[0.2, 0.8], [0.4, 0.6]], 0.5),
    ([-1.0, 2.0, 0.0], [0, 1, 1], 2 / 3),
    ([[-1.0], [2.0]], [[0.0], [0.0]], 0.5),
    ([[-1.0], [2.0]], [0, 1], 1.0),
    ([3.0], [True], 1.0),
])
@pytest.mark.parametrize("kind", [np.asarray, tg.as_tensor])
def test_accuracy(output, target, share, kind):
    assert tg.accuracy(kind(output), kind(target)) == pytest.approx(share, rel=1e-15)


@pytest.mark.parametrize(("output", "target"), [
    (np.ones((3, 2)), np.ones(2)), (np.ones((3, 2)), np.ones((3, 4))), (np.ones((0, 2)), []),
    (1.0, 1), (np.ones((2, 3, 4)), np.ones(2)), ([1.0, 2.0], np.ones((2, 2))),
])
def test_accuracy_refuses(output, target):
    with pytest.raises(ValueError, match="accuracy expects logits"):
        tg.accuracy(output, target)


def test_confusion_matrix():
    labels, predicted = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 0, 0]
    wanted = np.array([[1, 1, 0], [0, 1, 0], [2, 0, 1]])
    for classes in (None, 3, ["cat", "dog", "cow"]):
        got = tg.confusion_matrix(labels, np.array(predicted, "int8"), classes)
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == np.int64
    wide = tg.confusion_matrix(tg.as_tensor(labels), predicted, 5)
    np.testing.assert_array_equal(wide[:3, :3], wanted)
    assert wide.shape == (5, 5)
    assert wide.sum() == 6
    assert tg.confusion_matrix([], []).shape == (0, 0)
    assert tg.confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]
    assert tg.confusion_matrix([True, False], [True, True]).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(("labels", "predicted", "classes", "error"), [
    ([0, 1], [0], None, ValueError),
    ([0], [[0.2, 0.8]], None, ValueError),
    ([0.0], [1.0], None, TypeError),
    ([0, -1], [0, 1], None, IndexError),
    ([0, 1], [0, 2], 2, IndexError),
    ([0, 1], [0, 1], ["one"], IndexError),
    ([0], [0], 0, IndexError),
])
def test_confusion_matrix_refuses(labels, predicted, classes, error):
    with pytest.raises(error, match="confusion_matrix expects"):
        tg.confusion_matrix(labels, predicted, classes)
