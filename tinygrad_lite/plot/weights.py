"""The weights of a net: how they are spread, and what they look for.

It imports NumPy, and matplotlib on first use.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, GREY, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["weights"]

_COLUMNS = 4


def weights(model: Any, images: bool = False, name: str | None = None,
            shape: tuple[int, ...] | None = None, figure: Any = None) -> Figure:
    """The weights of every layer as histograms; or those of one layer as images.

    Args:
        model: a Module, or anything with ``named_parameters()``.
        images: draw each row of one weight as an image instead: what a unit of the first
            layer looks for, or each filter of a convolution. White is a large positive
            weight, black a large negative one, the grey between is 0.
        name: of the parameter to draw as images; the first of two or more axes if left out.
        shape: (height, width) of an image; left out, a filter has its own, and a row must
            be a square.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ValueError: if there is no such parameter, or its rows are no images.
        ImportError: if matplotlib is not installed.
    """
    parameters = {key: np.asarray(p.data, dtype=float) for key, p in model.named_parameters()}
    if not parameters:
        raise ValueError("weights expects a model with parameters; got none")
    if images:
        return _as_images(*_chosen(parameters, name), shape, figure)
    rows = math.ceil(len(parameters) / _COLUMNS)
    columns = min(len(parameters), _COLUMNS)
    figure = figure or new_figure(3 * columns + 0.5, 2.2 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (key, numbers) in zip(grid, parameters.items()):
        finite = numbers[np.isfinite(numbers)]
        style(axes, f"{key}  std {np.std(finite) if finite.size else 0:.2g}", "")
        axes.title.set_fontsize(10)
        axes.hist(finite, bins=min(max(int(math.sqrt(finite.size)), 5), 50), color=BLUE)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.locator_params(axis="x", nbins=4)
    for axes in grid[len(parameters):]:
        axes.set_axis_off()
    figure.supxlabel("value of a weight", color=GREY, fontsize=10)
    figure.supylabel("how many weights", color=GREY, fontsize=10)
    return figure


def _chosen(parameters: dict[str, np.ndarray], name: str | None) -> tuple[str, np.ndarray]:
    """The parameter of that name, or the first that has images as rows."""
    for key, numbers in parameters.items():
        if key == name or name is None and numbers.ndim >= 2:
            return key, numbers
    raise ValueError("weights expects the name of a parameter with two or more axes, among "
                     f"{list(parameters)}; got {name!r}")


def _as_images(name: str, numbers: np.ndarray, shape: tuple[int, ...] | None,
               figure: Any) -> Figure:
    """A grid of images, one for each row or filter, on one scale."""
    pictures = _pictures(name, numbers, shape)
    n, height, width = pictures.shape
    columns = math.ceil(math.sqrt(n * 1.5 * height / width))
    rows = math.ceil(n / columns)
    grid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        grid[top:top + height, left:left + width] = picture
    figure = figure or new_figure(7, 5.8 * len(grid) / grid.shape[1] + 0.5)
    axes = figure.subplots()
    limit = float(np.nanmax(np.abs(grid), initial=1e-12))
    shown = axes.imshow(grid, cmap="gray", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{name}: {n} x {height} x {width}", loc="left", color=INK, fontsize=13)
    bar = figure.colorbar(shown, ax=axes, shrink=0.7)
    bar.set_label("weight", color=GREY)
    bar.ax.tick_params(labelcolor=GREY, length=0)
    bar.outline.set_visible(False)
    return figure


def _pictures(name: str, numbers: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """The weight as images (n, height, width): of a convolution each plane of each filter."""
    if shape is None:
        side = math.isqrt(numbers.shape[1]) if numbers.ndim == 2 else 0
        shape = (side, side) if numbers.ndim == 2 else numbers.shape[-2:]
    fits = len(shape) == 2 and (numbers.ndim > 2 or math.prod(shape) == numbers.shape[1])
    if numbers.ndim < 2 or not fits or not numbers.size:
        raise ValueError(f"expected shape=(height, width) of the images that the rows of "
                         f"'{name}' {numbers.shape} are; got {shape}")
    return numbers.reshape(-1, *shape)
