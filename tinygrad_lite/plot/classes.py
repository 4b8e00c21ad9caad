"""How a classifier decides. It imports NumPy, and matplotlib on first use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation import predict
from ..value import Value
from .style import COLORS, GREY, INK, MARKERS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion", "decision_boundary"]


def confusion(matrix: Any, classes: Sequence[str] | None = None, figure: Any = None) -> Figure:
    """A confusion matrix as a table: the true classes down, the predicted ones across.

    A cell is the darker, the larger its share of the row; right answers have a frame.

    Args:
        matrix: counts of shape (C, C), as `tg.confusion_matrix` gives them.
        classes: their names; 0, 1, ... if left out.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ValueError: if the matrix is not square, or has not one row for each class.
        ImportError: if matplotlib is not installed.
    """
    counts = np.asarray(matrix)
    n = len(counts) if counts.ndim else 0
    names = [str(i) for i in range(n)] if classes is None else [str(name) for name in classes]
    if not n or counts.shape != (n, n) or len(names) != n:
        raise ValueError(f"confusion expects counts of shape (C, C) and C classes; got shape "
                         f"{counts.shape} and {len(names)} classes")
    side = 2 + 0.45 * n
    figure = figure or new_figure(side, side)
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts):
        axes.text(j, i, f"{counts[i, j]:,}", color="white" if share[i, j] > 0.5 else INK,
                  horizontalalignment="center", verticalalignment="center", fontsize=9)
    for i in range(n):
        corner = (i - 0.5, i + 0.5, i + 0.5, i - 0.5, i - 0.5)
        axes.plot(corner, (i - 0.5, i - 0.5, i + 0.5, i + 0.5, i - 0.5), color=INK, linewidth=1,
                  clip_on=False)
    right, total = int(np.trace(counts)), int(counts.sum())
    style(axes, f"{right:,} of {total:,} right", "true class")
    axes.grid(visible=False)
    axes.set_xlabel("predicted class", color=GREY)
    axes.set_yticks(range(n), names)
    turn = dict(rotation=45, ha="right") if max(map(len, names)) > 3 else {}
    axes.set_xticks(range(n), names, **turn)
    return figure


def decision_boundary(model: Any, points: Any, labels: Any,
                      classes: Sequence[str] | None = None, steps: int | None = None,
                      logits: bool = True, figure: Any = None) -> Figure:
    """What a net would decide at every place of the plane, and the points it learnt from.

    The colour is that of the most probable class, the stronger, the surer the net is; lines
    are where it changes its mind.

    Args:
        model: gives for points of shape (N, 2) one number each, (N,) or (N, 1), or C, (N, C).
            A Module runs in evaluation mode; one whose parameters are Values, micrograd's
            too, is called with two Values for each point.
        points: of shape (N, 2).
        labels: the class of each point: 0 to C - 1; for a model of one number any two, such
            as -1 and 1, of which the higher is the one that a high number stands for.
        classes: the names of the classes, in order.
        steps: how many places along each axis are computed; 200, or 40 for Values.
        logits: whether the model gives logits; False for probabilities.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ValueError: if shapes do not fit, or there are labels that the model does not know.
        ImportError: if matplotlib is not installed.
    """
    points, labels = np.asarray(points, dtype=np.float32), np.asarray(labels).reshape(-1)
    if not len(points) or points.shape != (len(labels), 2):
        raise ValueError("decision_boundary expects points of shape (N, 2) and N labels; got "
                         f"shapes {points.shape} and {labels.shape}")
    of_values = _holds_values(model)
    x, y = _axes_of(points, steps or (40 if of_values else 200))
    plane = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    scores = _scores_of_values(model, plane) if of_values else predict(model, plane)
    kinds = _kinds(scores, labels, len(plane))
    shares = _shares(scores.reshape(len(y), len(x), -1).astype(float), logits)
    figure = figure or new_figure(6.4, 5.2)
    axes = figure.subplots()
    _shade(axes, x, y, shares)
    for k, (kind, name) in enumerate(zip(kinds, classes or [f"class {i}" for i in kinds])):
        axes.scatter(*points[labels == kind].T, s=26, color=COLORS[k % len(COLORS)], label=name,
                     marker=MARKERS[k % len(MARKERS)], edgecolors="white", linewidths=0.7)
    style(axes, "What the net decides", "second input")
    axes.grid(visible=False)
    axes.set_xlabel("first input", color=GREY)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelcolor=INK)
    return figure


def _axes_of(points: np.ndarray, steps: int) -> np.ndarray:
    """Two rows of places: along both axes, a little beyond the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * np.maximum(high - low, 1e-3)
    return np.linspace(low - margin, high + margin, steps, dtype=np.float32).T


def _holds_values(model: Any) -> bool:
    parameters = model.parameters() if hasattr(model, "parameters") else ()
    return any(isinstance(p, Value) for p in parameters)


def _scores_of_values(model: Any, plane: np.ndarray) -> np.ndarray:
    """What a net of Values gives for each place; it takes one point at a time."""
    rows = []
    for point in plane.tolist():
        output = model([Value(x, requires_grad=False) for x in point])
        outputs = output if isinstance(output, (list, tuple)) else [output]
        rows.append([float(value) for value in outputs])
    return np.array(rows)


def _kinds(scores: np.ndarray, labels: np.ndarray, n: int) -> np.ndarray:
    """The classes that the model knows, in order; ValueError if they are not the labels'."""
    if scores.shape[:1] != (n,) or scores.ndim > 2:
        raise ValueError("decision_boundary expects a model that gives (N,), (N, 1) or (N, C) "
                         f"for {n} points; got {scores.shape}")
    count = max(scores.size // n, 2)
    kinds = np.unique(labels) if scores.size == n else np.arange(count)
    if len(kinds) > count or not np.isin(labels, kinds).all():
        raise ValueError(f"decision_boundary expects labels of {count} classes, as many as the "
                         f"model tells apart; got {np.unique(labels)}")
    return kinds


def _shares(scores: np.ndarray, logits: bool) -> np.ndarray:
    """The probability of each class, along the last axis."""
    if scores.shape[-1] == 1:
        other = np.zeros_like(scores) if logits else 1 - scores
        scores = np.concatenate([other, scores], axis=-1)
    if not logits:
        return scores
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _shade(axes: Axes, x: np.ndarray, y: np.ndarray, shares: np.ndarray) -> None:
    """Each place in the pale colour of its most probable class, the paler the less sure."""
    from matplotlib.colors import to_rgb
    n = shares.shape[2]
    colors = np.array([to_rgb(COLORS[k % len(COLORS)]) for k in range(n)])
    best = shares.argmax(axis=2)
    sure = (shares.max(axis=2) - 1 / n) / (1 - 1 / n)
    strength = 0.08 + 0.42 * sure[..., np.newaxis]
    picture = 1 - strength * (1 - colors[best])
    axes.imshow(picture, origin="lower", extent=(x[0], x[-1], y[0], y[-1]), aspect="auto")
    for k in range(n if n > 2 else 1):
        lead = shares[..., k] - np.delete(shares, k, axis=2).max(axis=2)
        if lead.min() < 0 < lead.max():
            axes.contour(x, y, lead, levels=[0], colors=[INK], linewidths=1.4)
