"""Module: parameters, buffers, and the functions that use them, under one name.

It imports the engine and the two skins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..engine import Node, _mode, no_grad, refuse_to_read, refuse_to_replay, turned
from ..tensor import Tensor
from ..value import Value

__all__ = ["IncompatibleKeys", "Module", "Parameter"]


class Parameter(Tensor):
    """A Tensor that training changes: a `Module` that holds one finds it.

    Args:
        data: numbers in any form that NumPy takes, or a node; always copied.
        requires_grad: whether `backward` gives it a gradient.
        dtype: as in `Tensor`: left out, an array keeps its dtype, Python floats become
            float32.

    Raises:
        TypeError: if `data` or `dtype` is not of real numbers.
        RuntimeError: if an integer or boolean Parameter is to require a gradient.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None) -> None:
        super().__init__(data, dtype, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` skipped: names only in the model, only in the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers and nets: write ``forward``, and call the Module itself.

    Whatever the attributes hold is found, in order of definition: Modules, Parameters
    and Values (leaves only), also inside lists, tuples and dicts. A name tells the way
    there: ``layers.0.weight``. A plain Tensor is no parameter; one that belongs to the
    Module's state all the same is a buffer, see `register_buffer`. A subclass need not call
    ``super().__init__()``.

    Attributes:
        training: whether the Module trains, which some layers mind; see `train`.
    """

    training = True
    _buffers: Mapping[str, bool] = {}  # of each buffer, whether `state_dict` has it

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the Module computes; a subclass says it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required '
                                  '"forward" function')

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if _mode.tracer is not None:
            _mode.tracer.entered(self)
        return self.forward(*inputs, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to lose a parameter: what is no Parameter would not be trained.

        What is assigned to a buffer becomes a Tensor.
        """
        before = vars(self).get(name)
        if isinstance(before, Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(f"cannot assign {type(value).__name__} as parameter '{name}'; "
                            "expected nn.Parameter or None, or use load_state_dict")
        if name in self._buffers:
            value = _as_buffer(name, value)
        if name in vars(self) and unchanged(before, value):
            return
        if _mode.tracer is not None and (before is not None or name == "training"):
            _mode.tracer.assigns(self, name, value)
        super().__setattr__(name, value)
        turned()  # now, for another thread may look at once

    def __delattr__(self, name: str) -> None:
        refuse_to_replay(f"deleting .{name}", "a replay deletes nothing")
        super().__delattr__(name)
        turned()

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a buffer: numbers that belong to the Module's state, but that no gradient trains.

        It is an attribute of that name: a Tensor, or None.

        Args:
            name: a string without dots that no attribute has; of a buffer, it replaces it.
            tensor: a Tensor, kept as it is; an array, which is copied; or None, for numbers
                that may come later.
            persistent: whether `state_dict` has it.

        Raises:
            TypeError: if `name` is no string, or `tensor` none of the above.
            KeyError: for a name that is empty, has a dot in it or is already taken.
        """
        if not isinstance(name, str):
            raise TypeError(f"buffer name should be a string; got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError("a buffer's name is neither empty nor has a dot in it; got "
                           f"{name!r}")
        if hasattr(self, name) and name not in self._buffers:
            raise KeyError(f"attribute '{name}' already exists")
        if isinstance(tensor, Parameter):
            raise TypeError(f"cannot make a Parameter the buffer '{name}'; pass its detach()")
        buffer = _as_buffer(name, tensor)
        vars(self)["_buffers"] = {**self._buffers, name: persistent}
        setattr(self, name, buffer)

    # ---- what it holds -----------------------------------------------------------------

    def parameters(self) -> Iterator[Any]:
        """Every parameter once, even if it is held in several places."""
        return (parameter for _, parameter in self.named_parameters())

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Pairs (name, parameter), each parameter once: a Module's own, then its children's."""
        return _once(pair for place in _walk("", self) for pair in _own_parameters(*place))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer once, even if it is held in several places."""
        return (buffer for _, buffer in self.named_buffers())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Pairs (name, buffer), each buffer once: a Module's own, then its children's."""
        return _once(pair for place in _walk("", self) for pair in _own_buffers(*place))

    def modules(self) -> Iterator[Module]:
        """The Module itself and every Module below it, each once."""
        return (module for _, module in self.named_modules())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Pairs (name, Module), each Module once; itself comes first, with an empty name."""
        return _once(_walk("", self))

    def children(self) -> Iterator[Module]:
        """The Modules that it holds itself, each once."""
        return (child for _, child in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Pairs (name, Module) of those that it holds itself, each once."""
        return _once(pair for pair in _held("", self) if isinstance(pair[1], Module))

    def _places(self) -> Iterator[tuple[str, Any]]:
        """Pairs (name, parameter or buffer) for every place that holds what is saved."""
        for name, module in _walk("", self):
            yield from _own_parameters(name, module)
            yield from _own_buffers(name, module, saved=True)

    # ---- what happens to all of it -----------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call ``fn(module)`` on every Module below and then on itself.

        Returns:
            The Module itself.
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set `training` on the Module and on all below it.

        Returns:
            The Module itself.

        Raises:
            ValueError: if `mode` is not True or False.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"training mode is expected to be boolean; got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """The same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Let every parameter require a gradient, or none of them.

        Returns:
            The Module itself.
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for parameter in self.parameters():
            parameter.grad = None

    # ---- its numbers -------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every parameter's and persistent buffer's numbers by its name, copied.

        A Value is an array of no axes in float64. A parameter in several places is there
        under each of its names. Where PyTorch hands out its own tensors, these are copies: a
        state that was kept does not change under further training.
        """
        refuse_to_read("state_dict()")
        return {name: np.array(parameter._data) for name, parameter in self._places()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True
                        ) -> IncompatibleKeys:
        """Copy numbers by name into parameters and buffers, which stay the same objects.

        Args:
            state: names, and arrays, Tensors, numbers or PyTorch's tensors. Each is
                converted to the dtype of its place.
            strict: whether the names must be exactly those of `state_dict`; otherwise a
                place without an entry is left alone, and an entry without a place.

        Returns:
            The names that were skipped.

        Raises:
            RuntimeError: for missing and unexpected names if `strict`, and for entries that
                are no real numbers or of another shape; all are listed, nothing is changed.
            TypeError: if `state` is not a mapping.
        """
        refuse_to_replay("load_state_dict()", "a replay takes no state; call it outside")
        if not isinstance(state, Mapping):
            raise TypeError("load_state_dict expects a dict of names and arrays; got "
                            f"{type(state).__name__}")
        places = dict(self._places())
        missing = [name for name in places if name not in state]
        unexpected = [name for name in state if name not in places]
        found = {name: _as_numbers(state[name]) for name in places if name in state}
        problems = _listed("Missing", missing) + _listed("Unexpected", unexpected)
        problems = problems if strict else []
        for name, numbers in found.items():
            problems += _misfit(name, places[name], numbers, state[name])
        if problems:
            raise RuntimeError(f"cannot load this state into {type(self).__name__}; nothing "
                               "was changed.\n  " + "\n  ".join(problems))
        for name, numbers in found.items():
            _assign(places[name], numbers)
        return IncompatibleKeys(missing, unexpected)

    # ---- as text -----------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the brackets of the printed Module, such as its sizes."""
        return ""

    def __repr__(self) -> str:
        lines = self.extra_repr().splitlines()
        children = [f"({name}): {child!r}" for name, child in _held("", self)
                    if isinstance(child, Module)]
        if not children:
            return f"{type(self).__name__}({', '.join(lines)})"
        body = "\n".join(lines + children).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


def unchanged(before: Any, now: Any) -> bool:
    """Whether an attribute is the same object as before, or an equal plain one."""
    return before is now or (type(before) is type(now) and isinstance(now, _PLAIN)
                             and before == now)


_PLAIN = (bool, int, float, complex, str, bytes)


# ---- the walk --------------------------------------------------------------------------


def _walk(name: str, module: Module, above: tuple[Module, ...] = ()
          ) -> Iterator[tuple[str, Module]]:
    """Pairs (name, Module): a Module, then each child likewise.

    What is held in several places comes several times, but no Module inside itself.
    """
    yield name, module
    above = (*above, module)
    for own, child in list(_held(name, module)):
        if isinstance(child, Module) and child not in above:
            yield from _walk(own, child, above)


def _own_parameters(prefix: str, module: Module) -> Iterator[tuple[str, Any]]:
    """Pairs (name, parameter) of those that a Module holds itself."""
    return (pair for pair in _held(prefix, module) if not isinstance(pair[1], Module))


def _own_buffers(prefix: str, module: Module, saved: bool = False
                 ) -> Iterator[tuple[str, Tensor]]:
    """Pairs (name, buffer) of those that a Module holds itself; or of the `saved` ones only."""
    for name, persistent in module._buffers.items():
        buffer = vars(module).get(name)
        if isinstance(buffer, Parameter) or (saved and not persistent):
            continue
        if isinstance(buffer, Tensor):
            yield f"{prefix}.{name}" if prefix else name, buffer


def _as_buffer(name: str, tensor: Any) -> Tensor | None:
    """What a buffer holds, from what was given; a Parameter makes a parameter of it."""
    if tensor is None or isinstance(tensor, Tensor):
        return tensor
    if isinstance(tensor, (np.ndarray, np.generic)):
        return Tensor(tensor)
    raise TypeError(f"cannot assign {type(tensor).__name__} as buffer '{name}'; expected a "
                    "Tensor, a NumPy array or None")


def _held(prefix: str, module: Module) -> Iterator[tuple[str, Any]]:
    """Pairs (name, Module or parameter) of what the attributes of a Module hold."""
    for name, x in vars(module).items():
        if isinstance(x, _HOLDERS):
            yield from _inside(f"{prefix}.{name}" if prefix else name, x)


def _inside(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    """Pairs (name, Module or parameter): x itself, or those in the containers it is made of."""
    if isinstance(x, (list, tuple)):
        x = dict(enumerate(x))
    if isinstance(x, dict):
        for key, item in x.items():
            yield from _inside(f"{name}.{key}", item)
    elif isinstance(x, (Module, Parameter)) or isinstance(x, Value) and x.is_leaf:
        yield name, x


_HOLDERS = (Module, Parameter, Value, list, tuple, dict)


def _once(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The pairs, without those whose object came before."""
    seen = set()
    for name, x in pairs:
        if id(x) not in seen:
            seen.add(id(x))
            yield name, x


# ---- reading a state -------------------------------------------------------------------


def _listed(kind: str, names: list[str]) -> list[str]:
    """One line with all the names, if there are any."""
    return [f"{kind} entries: " + ", ".join(f'"{name}"' for name in names)] if names else []


def _as_numbers(saved: Any) -> np.ndarray | None:
    """An entry of a state as an array of real numbers; None if it is something else."""
    if isinstance(saved, Node):
        return np.asarray(saved._data)
    if hasattr(saved, "detach"):  # a tensor of PyTorch that requires a gradient refuses
        saved = saved.detach()    # to become an array
    try:
        array = np.asarray(saved)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _misfit(name: str, parameter: Node, numbers: np.ndarray | None, saved: Any) -> list[str]:
    """One line on why the numbers cannot become the parameter's, or none if they can."""
    if numbers is None:
        return [f'"{name}": expected real numbers; got {type(saved).__name__} '
                f"{getattr(saved, 'dtype', '')}".rstrip()]
    shape = np.shape(parameter._data)
    if numbers.shape != shape:
        return [f'Size mismatch for "{name}": the model has shape {shape}, the state '
                f"{numbers.shape}"]
    return []


def _assign(parameter: Any, numbers: Any) -> None:
    """Give a parameter new numbers, without a record."""
    if isinstance(parameter, Value):
        parameter.data = numbers.item()
        return
    with no_grad():
        parameter[...] = numbers
