"""Programs in C: a list of instructions, run by one call without the GIL."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..groups import Columns, checked
from ..instructions import MAPS
from .library import ffi, lib
from .update import tables_of

__all__ = ["Code", "Update"]

# The numbers of the instructions; those of maps, which the enum counts anew, begin at TGL_MAP.
NUMBERS = {name.removeprefix("TGL_"): getattr(lib, name) for name in dir(lib)
           if name.startswith("TGL_")}
KINDS = {**NUMBERS, **{name: lib.TGL_MAP + NUMBERS[name] for name in MAPS}}
DOUBLE = np.dtype(np.float64)
from_buffer = ffi.from_buffer


class Update:
    """The call of an optimizer's kernel as an instruction, whose scalars can be set."""

    def __init__(self, kernel: str, columns: Columns) -> None:
        self.tables = tables_of(checked(kernel, columns, {}))

    def set(self, scalars: tuple) -> None:
        """Take these scalars for the next run."""
        self.tables.pack(self.tables.scalars, 0, *scalars)


class Code:
    """Instructions as C reads them; it keeps their arrays alive, but for inputs.

    Args:
        instructions: each with the fields `kind`, `writes`, `reads`, `n`, `s` and `at` that
            csrc/kernels.h lists. Of kind "UPDATE", `reads` is an `Update`. One that reads
            indices has an `entry` too, whose op says in Python what is wrong with them.
        joined: for each whether it goes together with the one before it.
    """

    def __init__(self, instructions: Sequence[Any], joined: Sequence[bool]) -> None:
        self.size = len(instructions)
        self.inputs = ffi.new("void *[]", self.size)
        self.kept = list(instructions)
        self.code = ffi.new("tgl_instruction[]", self.size)
        rows = zip(self.code, instructions, joined, strict=True)
        for number, (at, one, together) in enumerate(rows):
            at.kind = KINDS[one.kind]
            at.joined = together
            if one.kind == "INPUT":
                at.x[1] = self.inputs + number
            if one.kind == "UPDATE":
                at.n[0], at.is_double, at.x[0], at.x[1] = one.reads[0].tables.arguments
                continue
            arrays = (*one.writes, *one.reads)
            at.is_double = any(a is not None and a.dtype == DOUBLE for a in arrays)
            for i, array in enumerate(arrays):
                at.x[i] = ffi.NULL if array is None else ffi.cast("void *", array.ctypes.data)
            at.n[0:len(one.n)] = one.n
            at.s[0:len(one.s)] = one.s
            if one.at is not None:
                at.at = tuple(one.at)

    def read(self, arrays: Sequence[np.ndarray]) -> None:
        """Let the inputs, which come first, be these arrays of their dtypes.

        The caller keeps them alive until the next run.

        Raises:
            ValueError: if one of them is not C-contiguous.
        """
        for i, array in enumerate(arrays):
            self.inputs[i] = from_buffer(array)

    def run(self) -> None:
        """Run them all.

        Raises:
            IndexError: if one meets an index out of range; what follows it has not run.
        """
        stopped = lib.tgl_run(self.code, self.size)
        if stopped != self.size:
            entry = self.kept[stopped].entry
            entry.op.forward(*entry.inputs, **entry.static)  # says which index it is
            raise IndexError(f"'{entry.op.name}' met an index out of range")
