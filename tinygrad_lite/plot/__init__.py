"""Pictures of a training, of weights and of decisions: a file for each family.

It imports NumPy only; matplotlib, an extra, is loaded by the first picture. Every function
returns a matplotlib Figure: ``figure.savefig("picture.png")`` stores it, a notebook shows it.
No window is opened and no display is needed.
"""

from .classes import confusion, decision_boundary
from .curves import history, training
from .images import predictions
from .weights import weights

__all__ = [
    "confusion", "decision_boundary", "history", "predictions", "training", "weights",
]
