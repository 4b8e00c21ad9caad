"""tg.plot: what is on the axes: titles, units, curves, texts. No pixels are compared."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[1]
RUN = tg.History([
    {"epoch": i, "train_loss": 2.0 / i, "train_accuracy": 1 - 0.5 / i, "valid_loss": 2.2 / i,
     "valid_accuracy": 1 - 0.6 / i, "lr": 0.1 / i, "seconds": 0.5} for i in range(1, 5)])


@pytest.fixture(autouse=True)
def no_warnings():
    """Whatever is drawn is drawn without complaint: nothing collapses, no glyph is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(figure, tmp_path):
    """The axes of a figure, after it was stored."""
    path = tmp_path / "picture.png"
    figure.savefig(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    return figure.axes


def texts(axes):
    return [text.get_text() for text in axes.texts]


# ---- history ---------------------------------------------------------------------------


@pytest.mark.parametrize("curves", [RUN, {name: RUN[name] for name in RUN.columns}],
                         ids=["History", "dict"])
def test_history(curves, tmp_path):
    loss, accuracy, rate = drawn(tg.plot.history(curves), tmp_path)
    titles = [axes.get_title(loc="left") for axes in (loss, accuracy, rate)]
    assert titles == ["Loss", "Accuracy", "Learning rate"]
    assert loss.get_ylabel() == "mean per sample"
    assert accuracy.get_ylabel() == "right answers (%)"
    assert rate.get_xlabel() == "epoch"
    assert texts(loss) == ["train 0.5", "valid 0.55"]
    assert texts(accuracy) == ["valid 85.0 %", "train 87.5 %"]
    assert texts(rate) == ["0.025"]
    assert loss.get_yscale() == rate.get_yscale() == "log"
    assert accuracy.get_yscale() == "linear"
    train, valid = accuracy.lines
    np.testing.assert_allclose(train.get_ydata(), 100 * np.array(RUN["train_accuracy"]))
    np.testing.assert_allclose(valid.get_ydata(), 100 * np.array(RUN["valid_accuracy"]))
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3, 4])
    assert train.get_color() != valid.get_color()
    assert train.get_marker() != valid.get_marker()


def test_a_history_plots_itself(tmp_path):
    assert len(drawn(RUN.plot(), tmp_path)) == 3


@pytest.mark.parametrize(("curves", "titles", "labels"), [
    ({"train_loss": [1.0, 0.5]}, ["Training loss"], [["0.5"]]),
    ({"loss": [1.0, 0.5]}, ["Loss"], [["0.5"]]),
    ({"loss": [1.0]}, ["Loss"], [["1"]]),
    ({"train_loss": [0.0, -1.0]}, ["Training loss"], [["-1"]]),
    ({"lr": [0.1, 0.1], "loss": [2.0, 1.0], "seconds": [1, 2]}, ["Loss"], [["1"]]),
    ({"test_norm": [3.0], "train_norm": [3.0], "valid_norm": [3.0]}, ["norm"],
     [["test 3", "train 3", "valid 3"]]),
    ({"train_loss": [1.0, None, 2.0, np.nan]}, ["Training loss"], [["2"]]),
    ({"train_": [1.0], "weight_norm": [2.0]}, ["train_", "weight_norm"], [["1"], ["2"]]),
])
def test_curves(curves, titles, labels, tmp_path):
    panels = drawn(tg.plot.history(curves), tmp_path)
    assert [axes.get_title(loc="left") for axes in panels] == titles
    assert [texts(axes) for axes in panels] == labels


def test_labels_do_not_overlap(tmp_path):
    """Three curves that end in the same place have three texts apart."""
    names = ["train_loss", "valid_loss", "test_loss"]
    figure = tg.plot.history({name: [1.0, 0.5] for name in names})
    (axes,) = drawn(figure, tmp_path)
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    for lower, upper in zip(boxes, boxes[1:]):
        assert lower.y1 <= upper.y0


def test_units():
    axes, *_ = tg.plot.history(RUN, units={"loss": "nats"}).axes
    assert axes.get_ylabel() == "nats"


@pytest.mark.parametrize("curves", [tg.History(), {}, {"lr": [0.1]}, {"loss": []},
                                    {"loss": [np.nan]}])
def test_history_refuses(curves):
    with pytest.raises(ValueError, match="history expects a curve"):
        tg.plot.history(curves)


def test_training(tmp_path):
    images, labels = tg.data.digits("test", flat=False)
    predicted = labels.copy()
    predicted[3] = (labels[3] + 1) % 10
    figure = tg.plot.training(RUN, images, labels, predicted, units={"loss": "nats"})
    panels = drawn(figure, tmp_path)
    assert panels[0].get_ylabel() == "nats"
    grid = panels[-1]
    assert grid.get_title(loc="left") == "What the net reads: 1 of 360 test images wrong"
    assert len(grid.images) == 48
    assert texts(grid)[0] == f"{predicted[3]}, not {labels[3]}"


# ---- weights ---------------------------------------------------------------------------


def test_weights(tmp_path):
    net = nn.Sequential(nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2), nn.Linear(2, 1))
    figure = tg.plot.weights(net)
    panels = drawn(figure, tmp_path)
    shown = [axes for axes in panels if axes.axison]
    for axes, (name, p) in zip(shown, net.named_parameters(), strict=True):
        assert axes.get_title(loc="left") == f"{name}  std {p.numpy().std():.2g}"
        assert sum(bar.get_height() for bar in axes.patches) == p.size
    assert figure.get_supxlabel() == "value of a weight"
    assert figure.get_supylabel() == "how many weights"


def test_weights_that_are_no_numbers_or_none_or_values(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            self.bad = nn.Parameter([np.nan, np.inf, 1.0])
            self.none = nn.Parameter(np.zeros((0, 3)))
            self.value = tg.Value(2.0)
            self.same = nn.Parameter(np.ones(4))

    panels = drawn(tg.plot.weights(Odd()), tmp_path)
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in panels]
    assert counts == [1, 0, 1, 4]


@pytest.mark.parametrize(("weight", "shape", "pictures"), [
    (np.ones((5, 16)), None, "weight: 5 x 4 x 4"),
    (np.ones((5, 16)), (2, 8), "weight: 5 x 2 x 8"),
    (np.ones((6, 1, 5, 3)), None, "weight: 6 x 5 x 3"),
    (np.ones((2, 3, 4, 4)), None, "weight: 6 x 4 x 4"),
    (np.zeros((1, 1)), None, "weight: 1 x 1 x 1"),
])
def test_weights_as_images(weight, shape, pictures, tmp_path):
    class One(nn.Module):
        def __init__(self):
            self.bias = nn.Parameter(np.zeros(3))
            self.weight = nn.Parameter(weight)

    grid, bar = drawn(tg.plot.weights(One(), images=True, shape=shape), tmp_path)
    assert grid.get_title(loc="left") == pictures
    (image,) = grid.images
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    assert np.isfinite(shown).sum() == weight.size
    assert np.nansum(shown) == weight.sum()
    low, high = image.get_clim()
    assert low == -high
    assert bar.get_ylabel() == "weight"


@pytest.mark.parametrize(("options", "words"), [
    ({"shape": (3, 3)}, r"shape=\(height, width\) .* '0.weight' \(5, 8\) are; got \(3, 3\)"),
    ({}, r"got \(2, 2\)"),
    ({"name": "0.bias"}, "'0.bias'"),
    ({"name": "weight"}, r"among \['0.weight', '0.bias'\]; got 'weight'"),
])
def test_weights_refuse(options, words):
    with pytest.raises(ValueError, match=words):
        tg.plot.weights(nn.Sequential(nn.Linear(8, 5)), images=True, **options)


def test_no_weights():
    with pytest.raises(ValueError, match="a model with parameters; got none"):
        tg.plot.weights(nn.ReLU())


# ---- confusion -------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [None, ["setosa", "versicolor", "virginica"]])
def test_confusion(classes, tmp_path):
    (axes,) = drawn(tg.plot.confusion([[50, 2, 0], [3, 40, 9], [0, 0, 0]], classes), tmp_path)
    assert axes.get_title(loc="left") == "90 of 104 right"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    names = classes or ["0", "1", "2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    places = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    assert places == {(0, 0): "50", (1, 0): "2", (0, 1): "3", (1, 1): "40", (2, 1): "9"}


@pytest.mark.parametrize(("matrix", "classes"), [
    ([[1, 2]], None), ([], None), (3, None), ([[1, 0], [0, 1]], ["one"]), ([1, 2], ["a", "b"])])
def test_confusion_refuses(matrix, classes):
    with pytest.raises(ValueError, match="confusion expects counts of shape"):
        tg.plot.confusion(matrix, classes)


# ---- decision_boundary -----------------------------------------------------------------

POINTS = np.random.default_rng(0).normal(size=(30, 2))
SIGNS = (POINTS[:, 0] > 0).astype(int)


def one_logit(points):
    return 5 * points[:, 0]


def boundary_of(axes):
    """The places of the contours."""
    return np.concatenate([segment for lines in axes.collections if hasattr(lines, "levels")
                           for path in lines.get_paths() for segment in [path.vertices]])


@pytest.mark.parametrize(("model", "labels", "options"), [
    (one_logit, SIGNS, {}),
    (one_logit, 2 * SIGNS - 1, {}),
    (lambda p: one_logit(p)[:, np.newaxis], SIGNS.reshape(-1, 1), {}),
    (lambda p: 1 / (1 + np.exp(-one_logit(p))), SIGNS, {"logits": False}),
    (lambda p: np.stack([-p[:, 0], p[:, 0]], axis=1), SIGNS, {}),
    (lambda p: np.stack([p[:, 0] < 0, p[:, 0] > 0], axis=1), SIGNS, {"logits": False}),
])
def test_two_classes(model, labels, options, tmp_path):
    (axes,) = drawn(tg.plot.decision_boundary(model, POINTS, labels, **options), tmp_path)
    np.testing.assert_allclose(boundary_of(axes)[:, 0], 0, atol=0.05)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [f"class {kind}" for kind in np.unique(labels)]
    assert axes.get_xlabel() == "first input"
    assert axes.get_ylabel() == "second input"
    scatters = [c for c in axes.collections if not hasattr(c, "levels")]
    for scatter, kind in zip(scatters, np.unique(labels), strict=True):
        wanted = POINTS[np.reshape(labels, -1) == kind]
        np.testing.assert_allclose(scatter.get_offsets(), wanted, rtol=1e-6)
    picture = axes.images[0].get_array()
    left, right = picture[:, 0].mean(axis=0), picture[:, -1].mean(axis=0)
    assert left[2] > left[0]    # bluish where class 0 is
    assert right[0] > right[2]  # reddish where class 1 is


def test_many_classes(tmp_path):
    def model(points):
        corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], "float32")
        return points @ corners.T

    labels = 2 * (POINTS[:, 1] > 0) + (POINTS[:, 0] > 0)
    names = ["south west", "south east", "north west", "north east"]
    (axes,) = drawn(tg.plot.decision_boundary(model, POINTS, labels, names, steps=51), tmp_path)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    assert np.min(np.abs(boundary_of(axes)), axis=1).max() < 0.1
    assert axes.images[0].get_array().shape == (51, 51, 3)


def test_a_net_is_asked_in_evaluation_mode(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            assert not self.training
            return self.layer(x)

    net = Net()
    drawn(tg.plot.decision_boundary(net, POINTS, SIGNS), tmp_path)
    assert net.training
    assert net.layer.weight.grad is None


@pytest.mark.parametrize("as_list", [True, False])
def test_a_net_of_values(as_list, tmp_path):
    class Net:
        """As micrograd writes it: no Module of ours."""

        def __init__(self):
            self.w = [tg.Value(5.0), tg.Value(0.0)]

        def parameters(self):
            return self.w

        def __call__(self, x):
            y = self.w[0] * x[0] + self.w[1] * x[1]
            return [y, -y] if as_list else y

    labels = 1 - SIGNS if as_list else SIGNS
    (axes,) = drawn(tg.plot.decision_boundary(Net(), POINTS, labels), tmp_path)
    np.testing.assert_allclose(boundary_of(axes)[:, 0], 0, atol=0.05)
    assert axes.images[0].get_array().shape == (40, 40, 3)


def test_one_point_and_one_class(tmp_path):
    (axes,) = drawn(tg.plot.decision_boundary(one_logit, [[1.0, 2.0]], [1]), tmp_path)
    assert len(axes.get_legend().get_texts()) == 1


@pytest.mark.parametrize(("model", "points", "labels", "words"), [
    (one_logit, np.ones((3, 3)), np.ones(3), r"points of shape \(N, 2\)"),
    (one_logit, np.ones((3, 2)), np.ones(2), r"points of shape \(N, 2\)"),
    (one_logit, np.ones((0, 2)), [], r"points of shape \(N, 2\)"),
    (one_logit, POINTS, np.arange(30) % 3, "labels of 2 classes"),
    (lambda p: p, POINTS, np.arange(30) % 3, "labels of 2 classes"),
    (lambda p: p, POINTS, -SIGNS, "labels of 2 classes"),
    (lambda p: p[:, :, None], POINTS, SIGNS, r"gives \(N,\), \(N, 1\) or \(N, C\)"),
    (lambda p: p.sum(axis=0), POINTS, SIGNS, r"gives \(N,\), \(N, 1\) or \(N, C\)"),
])
def test_decision_boundary_refuses(model, points, labels, words):
    with pytest.raises(ValueError, match=words):
        tg.plot.decision_boundary(model, points, labels, steps=7)


# ---- all of them -----------------------------------------------------------------------

CALLS = {
    "history": "({'loss': [1.0]})",
    "training": "({'loss': [1.0]}, [], [], [])",
    "predictions": "([], [], [])",
    "weights": "(tg.nn.Linear(2, 2))",
    "confusion": "([[1]])",
    "decision_boundary": "(lambda p: p, [[0.0, 1.0]], [0])",
}


@pytest.mark.parametrize("name", tg.plot.__all__)
def test_without_matplotlib_the_extra_is_named(name):
    code = f"""
import sys
sys.modules["matplotlib"] = None
import tinygrad_lite as tg
try:
    tg.plot.{name}{CALLS[name]}
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.stderr == ""
    assert "pip install tinygrad_lite[plot]" in done.stdout


def test_pictures_go_into_a_figure_that_is_given():
    from matplotlib.figure import Figure
    net = nn.Linear(4, 4)
    for call in [lambda f: tg.plot.history(RUN, figure=f),
                 lambda f: tg.plot.weights(net, figure=f),
                 lambda f: tg.plot.weights(net, images=True, figure=f),
                 lambda f: tg.plot.confusion([[1]], figure=f),
                 lambda f: tg.plot.decision_boundary(one_logit, POINTS, SIGNS, figure=f)]:
        figure = Figure()
        assert call(figure) is figure
        assert figure.axes
