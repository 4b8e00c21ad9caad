"""Initial values for all of a model at once; it imports `Module` and the initialisers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...engine import no_grad
from ...tensor import Tensor
from ..module import Module
from .by_fan import (
    calculate_gain,
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from .plain import normal_, ones_, trunc_normal_, uniform_, zeros_
from .structured import orthogonal_

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["initialize"]

_WITH_GAIN: dict[str, Callable] = {
    "xavier_normal": xavier_normal_, "xavier_uniform": xavier_uniform_,
    "orthogonal": orthogonal_}
_KAIMING: dict[str, Callable] = {
    "kaiming_normal": kaiming_normal_, "kaiming_uniform": kaiming_uniform_,
    "he_normal": kaiming_normal_, "he_uniform": kaiming_uniform_}
_PLAIN: dict[str, Callable] = {
    "normal": normal_, "trunc_normal": trunc_normal_, "uniform": uniform_}

# Names of parameters that are added, and of those that multiply.
_SHIFTS = ("b", "beta", "shift", "offset")
_SCALES = ("gamma", "scale", "gain")
_NORM = re.compile(r"Norm(\dd)?$")


def initialize(model: Module, scheme: str | Callable[[Tensor], Any] = "kaiming_normal",
               nonlinearity: str | None = None,
               generator: Generator | None = None) -> Module:
    """Give every parameter of a model the initial values that suit its kind:

    ================================================ =====================================
    parameter                                        values
    ================================================ =====================================
    named bias, or b, beta, shift, offset            0
    weight of a normalisation, of whatever shape     1
    weight of an embedding                           normal, std 1; 0 for the padding index
    other weights of two and more axes               by the scheme
    named weight, or gamma, scale, gain; fewer axes  1
    ================================================ =====================================

    A normalisation is known by its class, or a base class of it, whose name ends in Norm,
    Norm1d and so on; an embedding by its ``num_embeddings``. What fits none of these stays as
    it is: vectors of other names, slopes of a PReLU, integers. So do running statistics.

    Args:
        model: a Module.
        scheme: "xavier_normal", "xavier_uniform", "kaiming_normal", "kaiming_uniform",
            "he_normal", "he_uniform" (other names of the two before), "orthogonal",
            "normal", "trunc_normal", "uniform": the function of that name with an
            underscore behind it; or a function that fills the weight it is given.
        nonlinearity: what follows the layers, see `calculate_gain`; if left out, "relu" for
            kaiming and he, and a gain of 1 for xavier and orthogonal. The others do without.
        generator: a NumPy Generator to draw from in place of the package's own; a function
            as scheme draws from what it likes.

    Returns:
        The model.

    Raises:
        TypeError: if `model` is no Module, or has Values for parameters.
        ValueError: for an unknown scheme or nonlinearity. Nothing is changed then.
    """
    if not isinstance(model, Module):
        raise TypeError(f"initialize expects a Module; got {type(model).__name__}")
    fill = _filler(scheme, nonlinearity, generator)
    modules = dict(model.named_modules())
    plan = []
    for name, parameter in model.named_parameters():
        if not isinstance(parameter, Tensor):
            raise TypeError(f"initialize fills Tensors; got a {type(parameter).__name__} as "
                            f"parameter '{name}'")
        plan.append((parameter, *_owner(name, modules)))
    for parameter, owner, own_name in plan:
        _fill_one(parameter, owner, own_name, fill, generator)
    return model


def _filler(scheme: Any, nonlinearity: str | None,
            generator: Generator | None) -> Callable[[Tensor], Any]:
    """The function that fills a weight by the scheme."""
    if callable(scheme):
        return scheme
    if scheme not in [*_WITH_GAIN, *_KAIMING, *_PLAIN]:
        raise ValueError(f"unknown scheme {scheme!r}; please use one of "
                         f"{[*_WITH_GAIN, *_KAIMING, *_PLAIN]}, or a function")
    gain = 1.0 if nonlinearity is None else calculate_gain(nonlinearity)
    if scheme in _WITH_GAIN:
        return partial(_WITH_GAIN[scheme], gain=gain, generator=generator)
    if scheme in _PLAIN:
        return partial(_PLAIN[scheme], generator=generator)
    # a matters for LeakyReLU only, whose slope it is by default
    return partial(_KAIMING[scheme], a=0.01, nonlinearity=nonlinearity or "relu",
                   generator=generator)


def _owner(name: str, modules: dict[str, Module]) -> tuple[Module, str]:
    """The Module that holds a parameter, and the parameter's name there."""
    above = name
    while above not in modules:
        above = above.rpartition(".")[0]
    return modules[above], name[len(above):].lstrip(".").partition(".")[0]


def _fill_one(parameter: Tensor, owner: Module, name: str, fill: Callable[[Tensor], Any],
              generator: Generator | None) -> None:
    """Give one parameter, of that name in its owner, what suits it."""
    name = name.lower()
    if parameter.dtype.kind != "f":
        return
    if "bias" in name or name in _SHIFTS:
        zeros_(parameter)
    elif any(_NORM.search(kind.__name__) for kind in type(owner).__mro__):
        ones_(parameter)
    elif hasattr(owner, "num_embeddings"):
        normal_(parameter, generator=generator)
        _clear_padding(parameter, getattr(owner, "padding_idx", None))
    elif parameter.ndim > 1:
        fill(parameter)
    elif ("weight" in name or name in _SCALES) and not hasattr(owner, "num_parameters"):
        ones_(parameter)


def _clear_padding(weight: Tensor, index: int | None) -> None:
    """Set the row of an embedding that stands for no word to 0."""
    if index is not None:
        with no_grad():
            weight[index] = 0
