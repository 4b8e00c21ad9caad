"""Optimizer: what all optimizers share.

A subclass names its kernel, the letters of its state and the scalars of a step; the base
class gathers the arrays of a parameter group and hands them over in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

import numpy as np

from .. import kernels
from ..engine import Node, mark_changed
from ..kernels.buffers import checked, plain_scalars
from ..value import Value

__all__ = ["Optimizer"]


class Optimizer:
    """Base class of the optimizers: parameter groups, state, and one call per group.

    Args:
        params: leaf Tensors or Values in an order that does not change; or dicts, each a
            parameter group: ``{"params": [...], "lr": 0.1}`` with settings of its own.
        settings: the settings of a group that does not give its own.
        backend: "c", "numpy" or "python"; the one of `tg.set_backend` if left out.

    Attributes:
        param_groups: a list of dicts; a setting changed there counts from the next step.
        state: for each parameter its step count and arrays, made at its first step.
        steps_taken: how many times `step` was called; schedules read it.

    Raises:
        TypeError: if `params` is a single node, or holds something else than nodes.
        ValueError: for no parameters, a set, a node that is no leaf, a parameter named
            twice, a setting out of range, or an unknown backend.
        RuntimeError: if the backend "c" is asked for and not there.
    """

    letters: tuple[str, ...] = ()  # of all state arrays, in the order the kernel takes them
    spare: tuple[str, ...] = ()    # those of them that some settings do without

    def __init__(self, params: Iterable, settings: dict[str, Any],
                 backend: str | None = None) -> None:
        kernels.body(backend)
        self.backend = backend
        self.defaults = settings
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Node, dict[str, Any]] = {}
        self.steps_taken = 0
        self._packs: list[_Pack] = []
        self._caches: dict[tuple[int, int], dict] = {}
        self._lock = Lock()  # C runs without the interpreter's own
        groups = _as_groups(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups:
            self.add_param_group(group)

    # ---- what a subclass says ----------------------------------------------------------

    def _check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError for a setting out of range."""
        raise NotImplementedError  # an abstract method: every optimizer has its own

    def _kernel(self, group: Mapping[str, Any]) -> str:
        """Name of the kernel that updates the group."""
        raise NotImplementedError  # likewise

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> dict[str, Any]:
        """The kernel's scalars at this step, 1 at first; whether its state was just made."""
        raise NotImplementedError  # likewise

    def _letters(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        """The letters of the arrays that the kernel keeps for each parameter."""
        return self.letters

    def _initial(self, group: Mapping[str, Any], letter: str) -> float:
        """The number that fills a state array before the first step."""
        return 0.0

    # ---- the step ----------------------------------------------------------------------

    def step(self) -> None:
        """Update every parameter that has a gradient; the others, and their counts, rest.

        Raises:
            TypeError, ValueError: if an array does not fit; nothing is changed then.
        """
        with self._lock:
            self._step()
            self.steps_taken += 1

    def _step(self) -> None:
        body = kernels.body(self.backend)
        parts = []
        for i, (group, pack) in enumerate(zip(self.param_groups, self._packs)):
            pack.load()
            ready = self._ready(group, pack)
            for j, ((step, fresh, _), (params, states, rows)) in enumerate(ready.items()):
                columns = list(map(list, zip(*rows)))
                scalars = self._scalars(group, step, fresh)
                cache = self._caches.setdefault((i, j), {})
                call = self._kernel(group), columns, scalars, cache
                parts.append((call, params, states, step))
        if len(parts) > 1:  # of a single part, update() itself checks all before it writes
            for (kernel, columns, scalars, cache), *_ in parts:
                plain_scalars(kernel, scalars)
                checked(kernel, columns, cache)
        try:
            for call, params, states, step in parts:
                body.update(*call)
                self._finish(params, states, step)
        finally:
            for pack in self._packs:
                pack.store()

    def _ready(self, group: dict[str, Any], pack: _Pack) -> dict[tuple, tuple]:
        """The parameters with a gradient, by what those of one call must have in common.

        Returns:
            {(step number, whether the state is fresh, dtype): (parameters, states, arrays)}
        """
        ready: dict[tuple, tuple] = {}
        letters = self._letters(group)
        for p in group["params"]:
            if p._grad is None:
                continue
            w, g = pack.views[p] if p in pack.views else (p._data, p._grad._data)
            state = self.state.get(p, {})
            fresh = len(state) <= len(letters)  # a complete one has a step count as well
            if fresh:
                state = self._complete(state, group, w)
            key = (state["step"] + 1, fresh, w.dtype)
            if key not in ready:
                ready[key] = ([], [], [])
            params, states, rows = ready[key]
            params.append(p)
            states.append(state)
            rows.append((w, g, *[state[x] for x in letters]))
        return ready

    def _complete(self, state: dict, group: dict[str, Any], w: np.ndarray) -> dict:
        """The state of a parameter w with every array that the group's kernel takes."""
        arrays = {x: np.full_like(w, self._initial(group, x), order="C")
                  for x in self._letters(group)}
        return {"step": 0, **arrays, **state}

    def _finish(self, params: list[Node], states: list[dict], step: int) -> None:
        self.state.update(zip(params, states))
        for state in states:
            state["step"] = step
        mark_changed(*[p._changed for p in params if not isinstance(p, Value)])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear every gradient.

        Args:
            set_to_none: drop it, so that a parameter without a new one rests; False fills
                it with zeros.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    p.grad = p._zero()

    # ---- groups and state --------------------------------------------------------------

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters, with settings of their own where `group` gives some.

        Args:
            group: ``{"params": node or nodes, setting: number, ...}``.

        Raises:
            TypeError, ValueError: as on construction; nothing is added then.
        """
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError("a parameter group is a dict with a 'params' entry; got "
                            f"{type(group).__name__}")
        params = [group["params"]] if isinstance(group["params"], Node) \
            else _as_list(group["params"])
        complete = {**self.defaults, **group, "params": params}
        self._refuse_unknown(complete)
        self._check(complete)
        known = {p for other in self.param_groups for p in other["params"]}
        for p in params:
            _check_parameter(p)
            if p in known:
                raise ValueError("some parameters appear more than once, in one parameter "
                                 "group or in several; name each once")
            known.add(p)
        self.param_groups.append(complete)
        self._packs.append(_Pack(params))

    def _refuse_unknown(self, group: Mapping[str, Any]) -> None:
        """Raise TypeError for a setting of another optimizer, or one that is misspelt."""
        known = {*self.defaults, "params", "name", "initial_lr"}  # the last is a scheduler's
        unknown = sorted(group.keys() - known)
        if unknown:
            raise TypeError(f"unknown settings {unknown} in a parameter group; "
                            f"{type(self).__name__} knows {list(self.defaults)}")

    def _ordered(self) -> Iterator[Node]:
        for group in self.param_groups:
            yield from group["params"]

    def state_dict(self) -> dict[str, Any]:
        """All state, copied: ``state`` by the parameters' order, ``param_groups``.

        Only numbers, strings, tuples and NumPy arrays are in it.
        """
        number = {p: i for i, p in enumerate(self._ordered())}
        return {
            "state": {number[p]: {name: np.array(x) if isinstance(x, np.ndarray) else x
                                  for name, x in state.items()}
                      for p, state in self.state.items()},
            "param_groups": [{**group, "params": [number[p] for p in group["params"]]}
                             for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state of an optimizer with parameters of the same shapes and order.

        Raises:
            ValueError: if groups, parameters or shapes differ; nothing is changed then.
            TypeError: for a setting that this optimizer does not have, likewise.
        """
        if not isinstance(state_dict, Mapping) \
                or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError("expected a dict with 'state' and 'param_groups', as state_dict() "
                             f"returns; got {state_dict!r:.60}")
        groups = state_dict["param_groups"]
        for group in groups:
            self._refuse_unknown(group)
        have = [len(group["params"]) for group in self.param_groups]
        got = [len(group["params"]) for group in groups]
        if have != got:
            raise ValueError("loaded state dict has other parameter groups: expected groups "
                             f"of {have} parameters; got {got}")
        fresh = [{**old, **new, "params": old["params"]}
                 for old, new in zip(self.param_groups, groups)]
        for group in fresh:
            self._check(group)
        order = [i for group in groups for i in group["params"]]
        state = {}
        for i, p in zip(order, self._ordered()):
            if i in state_dict["state"]:
                state[p] = self._adopt(p, i, state_dict["state"][i])
        for old, new in zip(self.param_groups, fresh):
            old.update(new)
        self.state = state
        self._caches.clear()

    def _adopt(self, p: Node, i: int, saved: Mapping) -> dict[str, Any]:
        """A parameter's state from a saved one, copied; ValueError if it does not fit."""
        like = np.empty(1) if isinstance(p, Value) else p._data
        expected = {"step", *self.letters}
        if not expected - set(self.spare) <= set(saved) <= expected:
            raise ValueError(f"state of parameter {i}: expected entries "
                             f"{['step', *self.letters]}; got {list(saved)}")
        state: dict[str, Any] = {"step": int(saved["step"])}
        for name in [x for x in self.letters if x in saved]:
            state[name] = np.array(saved[name], dtype=like.dtype, order="C")
            if state[name].shape != like.shape:
                raise ValueError(f"state '{name}' of parameter {i}: expected shape "
                                 f"{like.shape}; got {state[name].shape}")
        return state

    def __getstate__(self) -> dict[str, Any]:
        """All but the caches, which point into memory, when copied or pickled."""
        return {**vars(self), "_caches": {}, "_packs": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._packs = [_Pack(group["params"]) for group in self.param_groups]
        self._lock = Lock()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"  group {i}: {len(group['params'])} parameters")
            lines += [f"    {key}: {group[key]}" for key in self.defaults]
        return "\n".join([*lines, ")"])


class _Pack:
    """The Values of a group as one-element views of two arrays, for kernels take arrays."""

    def __init__(self, params: list[Node]) -> None:
        self.values = [p for p in params if isinstance(p, Value)]
        self.w = np.empty(len(self.values))
        self.g = np.empty(len(self.values))
        self.views = {p: (self.w[i:i + 1], self.g[i:i + 1])
                      for i, p in enumerate(self.values)}

    def load(self) -> None:
        """Copy the Values' numbers and gradients into the arrays."""
        if self.values:
            self.w[:] = [p._data for p in self.values]
            self.g[:] = [float(p.grad) for p in self.values]

    def store(self) -> None:
        """Give the Values their updated numbers."""
        for p, number in zip(self.values, self.w.tolist()):
            p._data = number


def _as_groups(params: Any) -> list[dict[str, Any]]:
    """The parameter groups of what the user gave; a plain list of nodes is one group."""
    if isinstance(params, (Node, np.ndarray)):
        raise TypeError("params argument given to the optimizer should be an iterable of "
                        f"Tensors, Values or dicts; got a single {type(params).__name__}")
    items = _as_list(params)
    if items and isinstance(items[0], dict):
        return items
    return [{"params": items}] if items else []


def _as_list(params: Iterable) -> list:
    if isinstance(params, (set, frozenset)):
        raise ValueError("optimizer parameters need an order that does not change from run "
                         "to run; got a set, use a list")
    try:
        return list(params)
    except TypeError:
        raise TypeError("an optimizer takes an iterable of Tensors, Values or dicts, such as "
                        f"net.parameters(); got {type(params).__name__}") from None


def _check_parameter(p: Any) -> None:
    """Raise unless p is a leaf that a kernel can update."""
    if not isinstance(p, Node):
        raise TypeError("optimizer can only optimize Tensors and Values; got "
                        f"{type(p).__name__}")
    if not p.is_leaf:
        raise ValueError("can't optimize a non-leaf node; give the leaf it was made from, or "
                         "detach() it")
    dtype = np.asarray(p._data).dtype
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"optimizers update float32 and float64; got a parameter of {dtype}")


def check_range(name: str, number: float, low: float = 0.0,
                below: float = float("inf")) -> None:
    """Raise unless low <= number < below, which nan never is: TypeError, ValueError."""
    if isinstance(number, bool) or not isinstance(number, (int, float, np.number)):
        raise TypeError(f"Invalid {name}: expected a number; got {number!r}")
    if not low <= number < below:
        bound = f", below {below}" if below != float("inf") else ""
        raise ValueError(f"Invalid {name}: {number}; expected at least {low:g}{bound}")
