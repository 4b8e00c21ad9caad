"""Optimizer: what all optimizers share.

A subclass names its kernel, the letters of its state and the scalars of a step; the base
class gathers the arrays of a parameter group and hands them over in one call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Any
from weakref import WeakSet, WeakValueDictionary

import numpy as np

from .. import kernels, passes
from ..engine import Node, _mode, enable_grad, refuse_to_replay
from ..kernels.groups import checked, plain_scalars
from ..value import Value
from .batches import Batch, Plan, State
from .parameters import as_groups, as_list, check_parameter, check_switches, split_names

__all__ = ["Optimizer"]


class Optimizer:
    """Base class of the optimizers: parameter groups, state, and one call per group.

    Args:
        params: leaf Tensors or Values in an order that does not change, or pairs of a name
            and such a leaf, as `Module.named_parameters` gives them; or dicts, each a
            parameter group: ``{"params": [...], "lr": 0.1}`` with settings of its own.
        settings: the settings of a group that does not give its own.
        backend: "c", "numpy" or "python"; the one of `tg.set_backend` if left out.

    Attributes:
        param_groups: a list of dicts; a setting changed there counts from the next step.
        steps_taken: how often `step` was called.

    Raises:
        TypeError: if `params` is a single node, or holds something else than nodes.
        ValueError: for no parameters, a set, a node that is no leaf, a parameter named
            twice, a setting out of range, or an unknown backend.
        RuntimeError: if the backend "c" is asked for and not there.
    """

    kernel = ""                    # the name of the kernel that updates a group
    letters: tuple[str, ...] = ()  # of its arrays behind w and g: the state, at most
    spare: tuple[str, ...] = ()    # those of them that some settings do without

    def __init__(self, params: Iterable, settings: dict[str, Any],
                 backend: str | None = None) -> None:
        kernels.body(backend)
        self.backend = backend
        self.defaults = settings
        self.param_groups: list[dict[str, Any]] = []
        self.steps_taken = 0
        self._states: dict[Node, State] = {}
        self._plans: list[Plan] = []
        self._lock = _new_lock()  # C runs without the interpreter's own
        living[id(self)] = self
        groups = as_groups(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups:
            self.add_param_group(group)

    # ---- what a subclass says ----------------------------------------------------------

    def _check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError for a setting out of range."""
        raise NotImplementedError  # an abstract method: every optimizer has its own

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        """The scalars of a step in the order of `kernels.table`.

        Args:
            step: 1 at first.
            fresh: whether the state was just made.
        """
        raise NotImplementedError  # likewise

    def _letters(self, group: Mapping[str, Any]) -> tuple[str | None, ...]:
        """The letters, with None in place of a spare one that the group does without."""
        return self.letters

    def _initial(self, group: Mapping[str, Any], letter: str) -> float:
        """The number that fills a state array before the first step."""
        return 0.0

    # ---- the step ----------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the others, and their counts, rest.

        Args:
            closure: called first, if given: clears the gradients, computes the loss, and
                calls `backward`.

        Returns:
            What the closure returned; None without one.

        Raises:
            TypeError, ValueError: if an array does not fit; nothing is changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with self._lock:
            if _mode.tracer is not None:
                _mode.tracer.steps(self)
            body = kernels.body(self.backend)
            calls = self._calls()
            if len(calls) > 1:  # of a single one, update() itself checks all before it writes
                for batch, scalars in calls:
                    plain_scalars(self.kernel, scalars)
                    checked(self.kernel, batch.columns, batch.cache)
            try:
                for batch, scalars in calls:
                    body.update(self.kernel, batch.columns, scalars, batch.cache)
                    if batch.fresh:
                        self._states.update(zip(batch.params, batch.states))
                    batch.finish()
                    if _mode.tracer is not None:
                        _mode.tracer.updated(self, self._group_of(batch), batch)
            finally:
                for plan in self._plans:
                    plan.pack.store()
            self.steps_taken += 1
            if _mode.tracer is not None:
                _mode.tracer.stepped(self)
        return loss

    def _group_of(self, batch: Batch) -> int:
        """The number of the group that a batch is part of."""
        return next(i for i, plan in enumerate(self._plans) if batch in plan.known)

    def _calls(self) -> list[tuple[Batch, tuple]]:
        """The calls of the kernel that make a step: a batch and the scalars for each."""
        if len(self._plans) != len(self.param_groups):
            self._follow_groups()
        calls = []
        for plan, group in zip(self._plans, self.param_groups):
            if plan.params is not group["params"]:
                self._follow_groups()
                return self._calls()
            letters = self._letters(group)
            for batch in plan.batches(letters, self._complete, group):
                calls.append((batch, self._scalars(group, batch.step + 1, batch.fresh)))
        return calls

    def _complete(self, group: dict[str, Any], letters: Iterable[str | None],
                  p: Node) -> tuple[State, bool]:
        """A parameter's state with the arrays of these letters; whether any was just made."""
        like = np.empty(1) if isinstance(p, Value) else p._data
        known = self._states.get(p) or State(0, {})
        new = {x: np.full_like(like, self._initial(group, x), order="C")
               for x in letters if x is not None and x not in known.arrays}
        if not new and p in self._states:
            return known, False
        return State(known.step, {**known.arrays, **new}), True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear every gradient.

        Args:
            set_to_none: drop it, so that a parameter without a new one rests; False fills
                it with zeros, in place.
        """
        if not set_to_none:
            passes.zero_gradients(self._ordered(), self.backend)
            return
        for group in self.param_groups:
            for p in group["params"]:
                if _mode.tracer is not None:
                    _mode.tracer.clears(p)
                p._grad = None

    # ---- groups and state --------------------------------------------------------------

    @property
    def state(self) -> dict[Node, dict[str, Any]]:
        """For each parameter that took a step its count and arrays, which are not copied."""
        return {p: {"step": state.step, **state.arrays} for p, state in self._states.items()}

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters, with settings of their own where `group` gives some.

        Args:
            group: ``{"params": node, nodes or named nodes, setting: number, ...}``.

        Raises:
            TypeError, ValueError: as on construction; nothing is added then.
        """
        refuse_to_replay("add_param_group()", "a replay adds none; call it outside")
        self._add_group(group)

    def _add_group(self, group: dict[str, Any]) -> None:
        """`add_param_group`, for a group that may have been there before."""
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError("a parameter group is a dict with a 'params' entry; got "
                            f"{type(group).__name__}")
        given = [group["params"]] if isinstance(group["params"], Node) \
            else as_list(group["params"])
        params, names = split_names(given)
        complete = {**self.defaults, **group, "params": tuple(params)}
        if names is not None:
            complete["param_names"] = names
        names = complete.get("param_names")
        if names is not None and len(names) != len(params):
            raise ValueError(f"a parameter group has {len(params)} parameters, but "
                             f"{len(names)} names; give it pairs of name and parameter")
        self._refuse_unknown(complete)
        check_switches(complete)
        self._check(complete)
        self._refuse_known(params, names)
        self.param_groups.append(complete)
        self._plans.append(Plan(complete["params"]))

    def _follow_groups(self) -> None:
        """Take over what the user put in the place of parameters or groups, checked as ever."""
        groups, plans = self.param_groups, self._plans
        if len(plans) == len(groups) \
                and all(plan.params is group["params"] for plan, group in zip(plans, groups)):
            return
        self.param_groups, self._plans = [], []
        try:
            for group in groups:
                self._add_group(group)
        except BaseException:
            self._plans = plans
            raise
        finally:
            complete, self.param_groups = self.param_groups, groups
        for group, new in zip(groups, complete):
            group.update(new)

    def _refuse_unknown(self, group: Mapping[str, Any]) -> None:
        """Raise TypeError for a setting of another optimizer, or one that is misspelt."""
        # the last is a scheduler's
        known = {*self.defaults, "params", "param_names", "name", "initial_lr"}
        unknown = sorted(group.keys() - known)
        if unknown:
            raise TypeError(f"unknown settings {unknown} in a parameter group; "
                            f"{type(self).__name__} knows {list(self.defaults)}")

    def _refuse_known(self, params: list, names: list[str] | None) -> None:
        """Raise unless the parameters, and their names, are new to this optimizer."""
        known = set(self._ordered())
        for p in params:
            check_parameter(p)
            if p in known:
                raise ValueError("some parameters appear more than once, in one parameter "
                                 "group or in several; name each once")
            known.add(p)
        if not self.param_groups:
            return
        ours = self._names()
        if (names is None) != (ours is None):
            raise ValueError("all optimizer params should be with names, or all without, in "
                             "every parameter group")
        if names is not None and ours is not None and not set(ours).isdisjoint(names):
            raise ValueError("optimizer parameters need different names; got "
                             f"{sorted(set(ours).intersection(names))} twice")

    def _ordered(self) -> Iterator[Node]:
        for group in self.param_groups:
            yield from group["params"]

    def _names(self) -> list[str] | None:
        """The names of all parameters in their order, if they have names."""
        if "param_names" not in self.param_groups[0]:
            return None
        return [name for group in self.param_groups for name in group["param_names"]]

    def _keys(self) -> list:
        """What a state dict calls the parameters: their names, or else their numbers."""
        names = self._names()
        return list(range(sum(1 for _ in self._ordered()))) if names is None else names

    def state_dict(self) -> dict[str, Any]:
        """All state, copied: ``state`` by parameter, and ``param_groups``.

        A parameter is called by its name, if the optimizer was given names, and otherwise by
        its place in the order. Only numbers, strings, tuples and NumPy arrays are in it.
        """
        refuse_to_replay("state_dict()", "it copies numbers that will be others at the next "
                         "call; call it outside")
        self._follow_groups()
        key = dict(zip(self._ordered(), self._keys()))
        state = {}
        for p, called in key.items():
            if p in self._states:
                known = self._states[p]
                arrays = {letter: array.copy() for letter, array in known.arrays.items()}
                state[called] = {"step": known.step, **arrays}
        groups = []
        for group in self.param_groups:
            settings = {name: x for name, x in group.items() if name != "param_names"}
            groups.append({**settings, "params": [key[p] for p in group["params"]]})
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state of an optimizer with parameters of the same shapes.

        Parameters are matched by name if both sides have names, and otherwise by order.

        Raises:
            ValueError: if groups, parameters or shapes differ; nothing is changed then.
            TypeError: for a setting that this optimizer does not have, likewise.
        """
        refuse_to_replay("load_state_dict()", "a replay takes no state; call it outside")
        self._follow_groups()
        groups = _saved_groups(state_dict)
        for group in groups:
            self._refuse_unknown(group)
        key = self._match(groups)
        fresh = [{**old, **new, "params": old["params"]}
                 for old, new in zip(self.param_groups, groups)]
        for group in fresh:
            check_switches(group)
            self._check(group)
        saved = state_dict["state"]
        unknown = [k for k in saved if k not in key.values()]
        if unknown:
            raise ValueError(f"loaded state dict has a state for {unknown}, which none of its "
                             f"groups has as a parameter; they have {list(key.values())}")
        states = {p: self._adopt(p, k, saved[k]) for p, k in key.items() if k in saved}
        for old, new in zip(self.param_groups, fresh):
            old.update(new)
        self._states = states
        self._plans = [Plan(group["params"]) for group in self.param_groups]

    def _match(self, groups: list[Mapping[str, Any]]) -> dict[Node, Any]:
        """What the saved groups call each of our parameters; ValueError if they do not fit."""
        have = [len(group["params"]) for group in self.param_groups]
        got = [len(group["params"]) for group in groups]
        if have != got:
            raise ValueError("loaded state dict has other parameter groups: expected groups "
                             f"of {have} parameters; got {got}")
        key: dict[Node, Any] = {}
        for ours, theirs in zip(self.param_groups, groups):
            names = ours.get("param_names", [])
            named = names and all(isinstance(k, str) for k in theirs["params"])
            if named and set(names) != set(theirs["params"]):
                odd = sorted(set(names) ^ set(theirs["params"]))
                raise ValueError("loaded state dict has other parameters: these names are only "
                                 f"on one side: {odd}")
            key.update(zip(ours["params"], names if named else theirs["params"]))
        return key

    def _adopt(self, p: Node, key: Any, saved: Mapping) -> State:
        """A parameter's state from a saved one, copied; ValueError if it does not fit."""
        like = np.empty(1) if isinstance(p, Value) else p._data
        known = {"step", *self.letters}
        if not isinstance(saved, Mapping) \
                or not known - set(self.spare) <= set(saved) <= known:
            raise ValueError(f"state of parameter {key}: expected entries "
                             f"{['step', *self.letters]}; got {list(saved)}")
        step = float(saved["step"])
        if not (step >= 0 and step.is_integer()):
            raise ValueError(f"state 'step' of parameter {key}: expected a whole number, 0 or "
                             f"more; got {saved['step']!r}")
        arrays = {}
        for letter in [x for x in self.letters if x in saved]:
            arrays[letter] = np.array(saved[letter], dtype=like.dtype, order="C")
            if arrays[letter].shape != like.shape:
                raise ValueError(f"state '{letter}' of parameter {key}: expected shape "
                                 f"{like.shape}; got {arrays[letter].shape}")
        return State(int(step), arrays)

    def __getstate__(self) -> dict[str, Any]:
        """All but the plans, which point into memory, when copied or pickled."""
        return {**vars(self), "_plans": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._plans = [Plan(group["params"]) for group in self.param_groups]
        self._lock = _new_lock()
        living[id(self)] = self

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"  group {i}: {len(group['params'])} parameters")
            lines += [f"    {key}: {group[key]}" for key in self.defaults]
        return "\n".join([*lines, ")"])


def _saved_groups(state_dict: Any) -> list[Mapping[str, Any]]:
    """The parameter groups of what `state_dict` returned; ValueError for anything else."""
    if isinstance(state_dict, Mapping) and {"state", "param_groups"} <= state_dict.keys() \
            and isinstance(state_dict["state"], Mapping):
        groups = list(state_dict["param_groups"])
        if all(isinstance(group, Mapping) and "params" in group for group in groups):
            return groups
    raise ValueError("expected a dict with 'state' and 'param_groups', as state_dict() "
                     f"returns; got {state_dict!r:.60}")


# All optimizers that there are, for `jit` to watch their settings.
living: WeakValueDictionary[int, Optimizer] = WeakValueDictionary()
_locks: WeakSet = WeakSet()


def _new_lock() -> Lock:
    """A lock that a fork leaves open in the child, where the thread that held it is not."""
    lock = Lock()
    _locks.add(lock)
    return lock


def _open_locks() -> None:
    for lock in _locks:
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_locks)
