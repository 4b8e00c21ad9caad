"""The engine: a graph of operations, and the sweep that differentiates it backwards.

It imports the standard library only: what a node holds (a float, an array) is the business
of the two skins, ``Value`` and ``Tensor``. Every number passes through one function,
`apply`; every gradient through one loop, `_sweep`.

An op is one paragraph, its result and one gradient rule per input::

    @op(lambda g, _y, _a, b: g * b,          # dL/da
        lambda g, _y, a, _b: g * a)          # dL/db
    def multiply(a, b):
        return a * b

``g`` is the gradient of the result, ``y`` the result, the rest the inputs; static arguments
(``axis=``) are keywords. A rule marks with an underscore an argument whose numbers it does
not read (its shape it may), so that changing that argument later is harmless. A rule returns
a new object or ``g`` itself. The ordinary sweep calls rules on plain data; with
``create_graph=True`` it calls the very same rules on nodes, and derivatives of any order
follow.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ContextDecorator
from functools import partial, wraps
from operator import attrgetter
from typing import Any, TypeVar, cast

__all__ = ["Node", "Op", "apply", "enable_grad", "grad", "no_grad", "op"]

F = TypeVar("F", bound=Callable)

# One clock stamps the birth of each recorded node and each change in place. So children are
# younger than their parents, and data changed after an op read it is younger than the op.
_clock = itertools.count(1)
_latest_change = [0]

# Held while gradients are added to leaves and changes are stamped, by whichever thread.
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # in a child that thread is not there to open it
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]


def mark_changed(*cells: list[int]) -> None:
    """Stamp the cells of tensors whose data was just changed in place."""
    if _mode.tracer is not None:
        _mode.tracer.changed(cells)
    with _lock:
        _latest_change[0] = tick = next(_clock)
        for cell in cells:
            cell[0] = tick


def now() -> int:
    """The next tick of the clock."""
    return next(_clock)


# When anything last changed that a recording of `jit` takes for granted, but for gradients and
# what optimizers say of themselves.
_latest_turn = [0]


def turned() -> None:
    """Say so: an array was exchanged, a mode or a hook set, an attribute of a Module."""
    _latest_turn[0] = next(_clock)


_NO_CODE = (lambda: None).__code__
_VARARGS = 0x04             # flags of code objects, as the module inspect names them
_RUNS_LATER = 0x20 | 0x80   # generators and coroutines


class _Mode(threading.local):
    """What holds for one thread."""

    def __init__(self) -> None:
        self.recording = True           # whether ops are recorded
        self.sweeping = False           # whether a sweep with create_graph is on
        self.outside: list[bool] = []   # `recording` around each block of no_grad, enable_grad
        self.jitted = False             # whether a jitted function runs, not its recording
        self.tracer: Any = None         # what writes down every op, for `jit` to replay


_mode = _Mode()


def refuse_to_replay(what: str, why: str) -> None:
    """Raise if a function is being recorded, for what a replay would not do again."""
    if _mode.tracer is not None:
        _mode.tracer.refuse(what, why)


def refuse_to_read(what: str) -> None:
    """Raise if a function is being recorded: the numbers will be others at each replay."""
    refuse_to_replay(what, "it reads numbers that will be others at the next call; return "
                     "them, or use ops")


def refuse_to_draw(what: str) -> None:
    """Raise if a function is being recorded: a replay draws random numbers inside ops only."""
    refuse_to_replay(what, "its numbers would be the same at every call; draw them outside, "
                     "and pass them in")


class _SetRecording(ContextDecorator):
    """Switch recording on or off for this thread; the state before comes back on leaving."""

    recording: bool

    def _recreate_cm(self) -> _SetRecording:
        return type(self)()

    def __call__(self, function: F) -> F:
        if getattr(function, "__code__", _NO_CODE).co_flags & _RUNS_LATER:
            raise TypeError(f"{type(self).__name__} cannot decorate a generator or coroutine, "
                            "which runs after the call; use a with block inside it")
        return super().__call__(function)

    def __enter__(self) -> None:
        _mode.outside.append(_mode.recording)
        _mode.recording = self.recording

    def __exit__(self, *exception: object) -> None:
        _mode.recording = _mode.outside.pop()


class no_grad(_SetRecording):
    """Record nothing: ``with tg.no_grad():`` or ``@tg.no_grad()``, for this thread only."""

    recording = False


class enable_grad(_SetRecording):
    """Record again inside a `no_grad` block; a context manager and a decorator too."""

    recording = True


class Op:
    """One operation: its forward function and one gradient rule per input.

    Attributes:
        name: the function's name, as error messages and graphs show it.
        forward: plain data in, plain data out.
        rules: ``rules[i](g, y, *inputs, **static)`` is the gradient for input i; None where
            the result does not depend smoothly on it.
        each: for ops of any number of inputs, one rule for all of them:
            ``each(g, y, *inputs, **static)`` returns a function of i, the gradient for input i.
        view: whether the result may share the memory of the first input.
        reads: for each rule, which of ``(y, *inputs)`` it reads.
        static_names: names of the arguments behind the inputs.
        defaults: default values of static arguments.
        smooth: whether any input has a gradient; if none has, nothing is recorded.
    """

    __slots__ = ("name", "forward", "rules", "each", "view", "reads", "static_names",
                 "defaults", "smooth")

    def __init__(self, forward: Callable, rules: tuple, each: Callable | None, view: bool):
        code = forward.__code__
        names = code.co_varnames[:code.co_argcount]
        defaults = forward.__defaults__ or ()
        self.name = forward.__name__.lstrip("_")
        self.forward = forward
        self.rules = rules
        self.each = each
        self.view = view
        self.reads = {rule: _read_arguments(rule) for rule in (*rules, each) if rule}
        self.static_names = names[len(rules):]
        self.defaults = dict(zip(names[len(names) - len(defaults):], defaults))
        self.defaults.update(forward.__kwdefaults__ or {})
        self.smooth = each is not None or any(rule is not None for rule in rules)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_READS_ALL: tuple[list[bool], bool] = ([], True)


def _read_arguments(rule: Callable) -> tuple[list[bool], bool]:
    """Which of ``(y, *inputs)`` a rule reads: those it names without an underscore.

    Returns:
        An answer for each argument that has a name, and one for all that ``*rest`` takes.
    """
    code = getattr(rule, "__code__", None)
    if code is None or hasattr(rule, "__self__"):
        return _READS_ALL
    named = [not name.startswith("_") for name in code.co_varnames[1:code.co_argcount]]
    if not code.co_flags & _VARARGS:
        return named, False
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
    return named, not rest.startswith("_")


def op(*rules: Callable | None, each: Callable | None = None,
       view: bool = False) -> Callable[[F], F]:
    """Make an op of a function; see the head of this module for the form.

    Args:
        rules: one gradient rule per input, or None where there is no gradient.
        each: instead of `rules`, one rule for an op that takes any number of inputs.
        view: True if the result may share the memory of the first input.

    Returns:
        A decorator. The op that it makes takes nodes and returns a node; given plain data
        only, it returns plain data and records nothing.

    Raises:
        TypeError: when there is neither a rule per input nor `each`.
    """
    if bool(rules) == (each is not None):
        raise TypeError("op() takes one rule per input, or each=rule; got "
                        f"{len(rules)} rules and each={each}")

    def decorate(forward: F) -> F:
        if not hasattr(forward, "__code__"):
            raise TypeError(f"op() decorates a Python function; got {forward!r}, which can be "
                            "called inside one")
        this = Op(forward, rules, each, view)
        arity = len(rules) if rules else None

        @wraps(forward)
        def call(*inputs: Any, **static: Any) -> Any:
            if arity is not None and len(inputs) != arity:
                inputs = _split_static(this, inputs, static)
            if this.defaults:
                static = {**this.defaults, **static}
            return apply(this, inputs, static)

        call.op = this  # type: ignore[attr-defined]  # so that tests and tables find it
        return cast(F, call)

    return decorate


def _split_static(op: Op, inputs: tuple, static: dict) -> tuple:
    """Give the positional arguments behind the inputs their names; return the inputs."""
    arity = len(op.rules)
    surplus = inputs[arity:]
    if len(inputs) < arity or len(surplus) > len(op.static_names):
        raise TypeError(f"{op.name}() takes {arity} inputs by position, then "
                        f"{', '.join(op.static_names) or 'nothing'}; got {len(inputs)}")
    for name, argument in zip(op.static_names, surplus):
        if name in static:
            raise TypeError(f"{op.name}() got multiple values for argument '{name}'")
        static[name] = argument
    return inputs[:arity]


class Node:
    """A number or an array in the graph; `Value` and `Tensor` are its two kinds.

    A node holds the record of its op and, through it, its parents; nothing holds a node
    back, so a graph dies as soon as its last node is dropped.
    """

    # A leaf has _maker None, and of the slots behind it none is set. `_inputs` is None once the
    # graph is freed; `_saved` is the inputs' data as the op saw it, a tuple, which the
    # garbage collector soon stops looking at.
    __slots__ = ("_data", "_grad", "_requires_grad", "_hooks", "_maker", "_birth", "_inputs",
                 "_saved", "_static", "__weakref__")

    _changed: Any = (0,)      # when the data last changed in place; floats never do
    _keeps_grad = False       # whether nodes that are no leaves keep their gradient too
    _fitting: Any = None      # a type of plain gradient that fits without `_fit`
    _rank = 0                 # the kind of higher rank wins where two meet
    _past: Any = None         # the node that stands for this one before it changed in place

    # What each kind provides:
    _wrap: Callable           # (data, inputs) -> a node around the result of an op
    _one: Callable            # () -> the seed of a sweep
    _zero: Callable           # () -> the gradient where nothing depends on this node
    _plain_grad: Callable     # (g) -> a user's gradient, checked and copied
    _fit: Callable            # (g) -> the gradient in this node's kind, shape and dtype
    _own: Callable            # (g, borrowed) -> the gradient as something nobody else holds
    _public: Callable         # (g) -> the gradient as .grad and hooks show it

    _data: Any
    _grad: Any
    _requires_grad: bool
    _hooks: dict | None
    _maker: Op | None
    _birth: int
    _inputs: tuple | None
    _saved: tuple | None
    _static: dict

    @staticmethod
    def _ieee(number: Any) -> Any:
        """The number as a type that divides by zero as IEEE 754 says."""
        return number

    def _share_changes(self, source: Any) -> None:
        """Be a view of the source, if they share memory, as a single number never does."""

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this node, rather than a recorded op."""
        return self._maker is None

    @property
    def op_name(self) -> str:
        """Name of the op that made this node; empty for a leaf."""
        return "" if self._maker is None else self._maker.name

    @property
    def parents(self) -> tuple[Node, ...]:
        """The nodes that this node was made from; empty for a leaf or a freed graph."""
        inputs = () if self._maker is None else self._inputs or ()
        return tuple(x for x in inputs if isinstance(x, Node))

    def _inherit(self, other: Node) -> None:
        """Take over another node's history."""
        self._requires_grad = other._requires_grad
        self._maker = other._maker
        if other._maker is not None:
            self._birth = other._birth
            self._inputs = other._inputs
            self._saved = other._saved
            self._static = other._static

    def __reduce__(self) -> tuple:
        """Copy and pickle a leaf, with its gradient's numbers but without its hooks."""
        if self._maker is not None:
            raise RuntimeError("only leaves can be copied or pickled; this node is the "
                               f"result of '{self.op_name}': detach() it first")
        refuse_to_read("a copy of a node")
        grad = self._grad._data if isinstance(self._grad, Node) else self._grad
        return _rebuild, (type(self), self._data, self._requires_grad, grad)

    def backward(self, gradient: Any = None, retain_graph: bool | None = None,
                 create_graph: bool = False) -> None:
        """Add dself/dleaf to ``.grad`` of every leaf that requires a gradient.

        Args:
            gradient: dL/dself, of this node's shape; 1 if left out, which only a node of
                one element allows.
            retain_graph: keep the graph for another sweep; `create_graph` if left out.
            create_graph: record the sweep itself, so that gradients can be differentiated.

        Raises:
            RuntimeError: if the node needs no gradient, is not a scalar and has no
                `gradient`, belongs to a graph already freed, or if an op's saved data was
                changed in place.
        """
        _check_differentiable(self)
        retain = create_graph if retain_graph is None else retain_graph
        found = _sweep([self], [gradient], None, retain, create_graph)
        with _lock, enable_grad() if create_graph else no_grad():
            for leaf, g in found.items():
                _accumulate(leaf, g)

    def register_hook(self, hook: Callable[[Any], Any]) -> HookHandle:
        """Call ``hook(grad)`` when a sweep has this node's whole gradient.

        What the hook returns, if not None, replaces the gradient, which it must not change in
        place: others may hold it. Hooks run in the order of their registration.

        Returns:
            A handle, whose ``remove()`` takes the hook away again.

        Raises:
            RuntimeError: if the node requires no gradient.
        """
        if not self._requires_grad:
            raise RuntimeError("cannot register a hook on a node that doesn't require "
                               "gradient; set requires_grad=True first")
        if self._hooks is None:
            self._hooks = {}
        key = next(_clock)
        self._hooks[key] = hook
        turned()
        return HookHandle(self._hooks, key)

    def retain_grad(self) -> None:
        """Keep ``.grad`` on this node too, though no leaf; on a leaf this changes nothing.

        Raises:
            RuntimeError: if the node requires no gradient.
        """
        if not self._requires_grad:
            raise RuntimeError("can't retain_grad on a node that has requires_grad=False")
        if self._hooks is None:
            self._hooks = {}
        self._hooks[_RETAIN] = None
        turned()


def _rebuild(kind: Any, data: Any, requires_grad: bool, grad: Any) -> Node:
    node = kind(data)
    node.requires_grad = requires_grad
    node.grad = grad  # the setter copies an array
    return node


_RETAIN = "retain_grad"


def split_hooks(hooks: dict | None) -> tuple[dict | None, dict | None]:
    """A node's hooks, which stay with what it was, and its wish to keep its gradient."""
    if not hooks or _RETAIN not in hooks:
        return hooks, None
    return hooks, {_RETAIN: hooks.pop(_RETAIN)}


class HookHandle:
    """Returned by `Node.register_hook`; `remove` takes the hook away again."""

    def __init__(self, hooks: dict, key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Remove the hook; a second call changes nothing."""
        self._hooks.pop(self._key, None)
        turned()


# For each type of plain data, the function that makes a node of it; the skins register.
kinds: dict[type, Callable[[Any, list], Node]] = {}


def apply(op: Op, inputs: tuple, static: dict[str, Any]) -> Any:
    """Run one op: unwrap the inputs, compute, wrap the result, record what backward needs.

    Args:
        op: the operation.
        inputs: nodes and plain data, as the op's rules expect them.
        static: every static argument by name.

    Returns:
        A node; plain data if no input is a node.
    """
    data = []
    some = None
    differentiable = False
    for x in inputs:
        if isinstance(x, Node):
            some = x
            data.append(x._data)
            if x._requires_grad:
                differentiable = True
        else:
            data.append(x)
    if some is None:
        return op.forward(*data, **static)
    try:
        y = op.forward(*data, **static)
    except ZeroDivisionError:
        y = op.forward(*map(some._ieee, data), **static)
    wrap = kinds.get(type(y)) or _highest_kind(inputs)
    result = wrap(y, data)
    if _mode.tracer is not None:
        _mode.tracer.applied(op, inputs, static, result)
    if op.view:
        result._share_changes(inputs[0])
    if differentiable and op.smooth and _mode.recording:
        result._requires_grad = True
        result._maker = op
        result._birth = next(_clock)
        result._inputs = inputs
        result._saved = tuple(data)
        result._static = static
    return result


def _highest_kind(inputs: tuple) -> Callable[[Any, list], Node]:
    """How to wrap a result whose type says nothing, such as a NumPy scalar."""
    nodes = [x for x in inputs if isinstance(x, Node)]
    return max(nodes, key=attrgetter("_rank"))._wrap


_FREED_MESSAGE = (
    "Trying to backward through the graph a second time, but its saved data has been freed "
    "by the first sweep. Pass retain_graph=True to the first backward or grad call")


def _changed_message(op: Any) -> str:
    return (f"the data that '{op.name}' saved for its gradient has been modified by an "
            "inplace operation since; make the change after backward, or on a copy")


def _recorded(roots: Iterable[Node]) -> list[Node]:
    """Every recorded node that the roots depend on, parents before children."""
    found = dict.fromkeys(root for root in roots if root._maker is not None)
    stack = list(found)
    while stack:
        node = stack.pop()
        inputs = node._inputs
        if inputs is None:
            raise RuntimeError(_FREED_MESSAGE)
        for x in inputs:
            if isinstance(x, Node) and x._maker is not None:
                if x._birth > node._birth:
                    x = _as_seen_by(node, x)
                if x._maker is not None and x not in found:
                    found[x] = None
                    stack.append(x)
    return sorted(found, key=attrgetter("_birth"))


def _as_seen_by(node: Node, x: Any) -> Any:
    """The input x of a node as it was when the node was made, if it changed in place since."""
    if isinstance(x, Node):
        while x._maker is not None and x._birth > node._birth:
            x = x._past
            if x is None:
                raise RuntimeError(_FREED_MESSAGE)
    return x


def replace_in_history(new: Node, x: Node, old: Node) -> None:
    """Let the ancestors of `new` have `old` as input where they have x.

    Without this, a node that takes over the history of `new` would be its own ancestor.
    """
    since = old._birth if old._maker is not None else 0
    stack = [new]
    seen = {new, old}
    while stack:
        node = stack.pop()
        node._inputs = tuple(old if z is x else z for z in node._inputs or ())
        for z in node._inputs:
            if isinstance(z, Node) and z._maker is not None and z not in seen:
                seen.add(z)
                if z._inputs is not None and z._birth > since:
                    stack.append(z)


def _leading_to(targets: Iterable[Node], order: list[Node]) -> set[Node]:
    """The targets and all nodes whose gradient a target's gradient needs."""
    needed = set(targets)
    for node in order:
        inputs = [_as_seen_by(node, x) for x in node._inputs or ()]
        if any(isinstance(x, Node) and x in needed for x in inputs):
            needed.add(node)
    return needed


def _sweep(roots: Sequence[Node], seeds: Sequence[Any], targets: Sequence[Node] | None,
           retain_graph: bool, create_graph: bool) -> dict[Node, Any]:
    """Pull the seeds back through the graph, youngest node first.

    Args:
        roots: the nodes to differentiate.
        seeds: dL/droot for each, as the user gave it, or None for 1.
        targets: nodes whose gradients are wanted; None for every leaf.
        retain_graph: keep the records; otherwise each is freed as soon as it was used.
        create_graph: run the rules on nodes, and record them.

    Returns:
        The gradients of the leaves, or of the targets. No two share a buffer. They are
        nodes if `create_graph`, else plain data.
    """
    order = _recorded(roots)
    needed = None if targets is None else _leading_to(targets, order)
    wanted = frozenset(targets or ())
    grads: dict[Node, Any] = {}
    kept: dict[Node, Any] = {}
    outdated: list[Node] = []
    before = _mode.recording, _mode.sweeping
    _mode.recording = create_graph
    _mode.sweeping = on_nodes = create_graph or _mode.tracer is not None
    try:
        for root, seed in zip(roots, seeds):
            seed = _seed(root, seed, on_nodes)
            grads[root] = grads[root] + seed if root in grads else seed
        while order:
            node = order.pop()
            g = grads.pop(node, None)
            if g is not None:
                if node._hooks:
                    g = _run_hooks(node, g, targets is None)
                if node._keeps_grad and targets is None:
                    _accumulate(node, g)
                elif node in wanted:
                    kept[node] = node._own(g, True)
                _pull(node, g, grads, needed)
            if not retain_graph:
                node._inputs = node._saved = None
                if node._past is not None:
                    outdated.append(node)
        for node in outdated:  # now that no node is left that would look back
            node._past = None
        for leaf, g in grads.items():
            if targets is None or leaf in wanted:
                if leaf._hooks:  # which may keep what they are given
                    g = leaf._own(_run_hooks(leaf, g, False), True)
                kept[leaf] = g
    finally:
        _mode.recording, _mode.sweeping = before
    return kept


def _seed(root: Node, seed: Any, as_node: bool) -> Any:
    """The gradient that a sweep starts from at this root, in memory of its own."""
    plain = root._one() if seed is None else root._plain_grad(seed)
    if not as_node:
        return plain
    if isinstance(seed, Node):
        return root._own(root._fit(seed), True)
    return root._wrap(plain, [plain])


def _accumulate(node: Node, g: Any) -> None:
    """Add g to ``.grad``, in a new object: whoever read the old one keeps what was read."""
    if _mode.tracer is not None:
        _mode.tracer.accumulates(node)
    g = node._public(g)
    node._grad = g if node._grad is None else node._grad + g


def _pull(node: Node, g: Any, grads: dict[Node, Any], needed: set[Node] | None) -> None:
    """Hand the gradient g of a node on to the inputs of its op.

    Under create_graph g is a node, and the rule gets nodes.
    """
    op: Any = node._maker
    inputs: Any = node._inputs
    static = node._static
    changed = _latest_change[0] > node._birth
    if changed:
        inputs = [_as_seen_by(node, x) for x in inputs]
    if isinstance(g, Node):
        arguments: Any = (g, node, *_as_nodes(node, inputs))
    else:
        arguments = (g, node._data, *node._saved)  # type: ignore[misc]  # it is not freed
    rules = op.rules
    taken: Any = arguments
    if op.each is not None:
        rules = map(partial, itertools.repeat(op.each(*arguments, **static)), itertools.count())
        taken, static = (), {}
    for x, rule in zip(inputs, rules):
        if rule is None or not isinstance(x, Node) or not x._requires_grad:
            continue
        if needed is not None and x not in needed:
            continue
        if changed:
            _check_unchanged(node, op.each or rule)
        try:
            d = rule(*taken, **static) if static else rule(*taken)
        except ZeroDivisionError:
            d = rule(*map(node._ieee, taken), **static)
        if d is None:
            continue
        if type(d) is not x._fitting:
            d = x._fit(d)
            if x._maker is None:
                d = x._own(d, _holds(arguments, d))
        before = grads.get(x)
        grads[x] = d if before is None else before + d


def _holds(arguments: Iterable[Any], d: Any) -> bool:
    """Whether d itself is there; ``in`` would compare arrays by their numbers."""
    for x in arguments:
        if x is d:
            return True
    return False


def _as_nodes(node: Node, inputs: Iterable) -> list:
    """The inputs as rules on nodes see them: nodes where a gradient flows, or all if traced."""
    seen = []
    traced = _mode.tracer is not None
    for x, data in zip(inputs, node._saved or ()):
        if isinstance(x, Node) and (x._requires_grad or traced):
            if x._data is not data:
                raise RuntimeError(_changed_message(node._maker))
            seen.append(x)
        else:
            seen.append(data)
    return seen


def _check_unchanged(node: Node, rule: Callable) -> None:
    """Raise if a rule of the node's op would read data that changed after the op ran.

    A change that was recorded counts too, as in PyTorch, though the old array is still there.
    """
    inputs: Any = node._inputs
    op: Any = node._maker
    named, rest = op.reads.get(rule, _READS_ALL)
    for x, read in zip((node, *inputs), itertools.chain(named, itertools.repeat(rest))):
        if read and isinstance(x, Node) and x._changed[0] > node._birth:
            raise RuntimeError(_changed_message(op))


def _run_hooks(node: Node, g: Any, retain: bool) -> Any:
    """The gradient after the node's hooks have seen it, and perhaps replaced it.

    `retain` says whether to add the outcome to ``.grad``, where the node asked for that.
    """
    hooks: Any = node._hooks
    for key, hook in tuple(hooks.items()):
        if key == _RETAIN:
            continue
        new = hook(node._public(g))
        if new is not None:
            g = _seed(node, new, isinstance(g, Node))
    if retain and _RETAIN in hooks and not node._keeps_grad:
        _accumulate(node, node._own(g, True))
    return g


def _check_differentiable(node: Node) -> None:
    if not node._requires_grad:
        raise RuntimeError("element 0 of the outputs does not require grad and was not made "
                           "by a recorded op; set requires_grad=True on an input, outside "
                           "no_grad")


def _listed(role: str, x: Any) -> list[Node]:
    """A node, or what an iterable holds, as a list; TypeError if that is anything but nodes."""
    nodes = list(x) if isinstance(x, Iterable) and not isinstance(x, Node) else [x]
    for node in nodes:
        if not isinstance(node, Node):
            raise TypeError(f"grad() expects nodes, one or an iterable, as {role}; got "
                            f"{type(node).__name__}")
    return nodes


def grad(outputs: Node | Iterable[Node], inputs: Node | Iterable[Node],
         grad_outputs: Any = None, create_graph: bool = False,
         retain_graph: bool | None = None) -> tuple[Any, ...]:
    """The gradients of the outputs' sum with respect to each input, leaving ``.grad`` alone.

    Args:
        outputs: a node, or several.
        inputs: a node, or several, such as ``net.parameters()``; leaves or not.
        grad_outputs: dL/doutput for each output; ones if left out, which only outputs of one
            element allow.
        create_graph: record the sweep, so that the result can be differentiated again.
        retain_graph: keep the graph; `create_graph` if left out.

    Returns:
        A tuple, one gradient per input, of its shape. An input that the outputs do not
        depend on has the gradient zero.

    Raises:
        RuntimeError: as `Node.backward`, or if an input does not require a gradient.
        TypeError: if an output or an input is no node.
        ValueError: if there are not as many `grad_outputs` as outputs.
    """
    roots = _listed("outputs", outputs)
    targets = _listed("inputs", inputs)
    if grad_outputs is None:
        grad_outputs = [None] * len(roots)
    given = grad_outputs if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if len(given) != len(roots):
        raise ValueError(f"expected one of grad_outputs per output, {len(roots)}; "
                         f"got {len(given)}")
    for target in targets:
        if not target._requires_grad:
            raise RuntimeError("one of the inputs to grad() does not require grad; set "
                               "requires_grad=True before the outputs are computed")
    for root in roots:
        _check_differentiable(root)
    retain = create_graph if retain_graph is None else retain_graph
    found = _sweep(roots, given, targets, retain, create_graph)
    results = []
    for target in targets:
        results.append(_result(target, found.get(target), create_graph))
        if target in found:
            found[target] = target._own(found[target], True)  # if it is asked for again
    return tuple(results)


def _result(target: Node, g: Any, create_graph: bool) -> Any:
    """A gradient as `grad` returns it; one that depends on nothing is still a leaf."""
    public = target._public(target._zero() if g is None else g)
    if create_graph and not isinstance(public, Node):
        public = target._wrap(public, [public])
    if create_graph:
        public._requires_grad = True
    return public
