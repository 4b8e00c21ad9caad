"""Programs: what a function does, recorded once and replayed from then on, most of it in C.

| file            | what                                                              |
| --------------- | ----------------------------------------------------------------- |
| jit.py          | `jit`: a function and its recordings                              |
| recorder.py     | writes down what one call does                                    |
| outside.py      | the variables that a function reads but does not own              |
| program.py      | makes instructions of that, and runs them                         |
| instructions.py | what a program is made of, and which may be done together         |
| forms.py        | the form in C of each op on Tensors                               |
| tape.py         | ops on Values, sorted into long runs                              |
| updates.py      | the steps of optimizers, and the numbers of Values                |
| memory.py       | one place for arrays that are not needed at the same time         |
"""

from .jit import Jitted, jit

__all__ = ["Jitted", "jit"]
