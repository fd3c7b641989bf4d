"""A confusion matrix as an object: its numbers, a table of them, a picture."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.drawing.confusion import confusion_matrix
from alexnet_tf.system.text import printable

# Classes of a table, and letters of a name, that a line of a terminal holds.
SHOWN, LETTERS = 10, 12


@dataclass(frozen=True, eq=False, repr=False)
class ConfusionMatrix:
    """How often pictures of each class were predicted as which.

    `counts` is int (true classes, predicted classes), in the order of `classes`, as
    ``sklearn.metrics.confusion_matrix`` returns it; NumPy takes the object itself for it.

    Example:
        >>> alexnet_tf.load_run("runs/mine").confusion.figure().save("confusion.png")
    """

    counts: np.ndarray
    classes: tuple[str, ...]

    def figure(self) -> Image.Image:
        """Draw the matrix, normalized by row; up to 10 classes have names and numbers."""
        return confusion_matrix(self.counts, self.classes)

    def _repr_png_(self) -> bytes:
        self.figure().save(file := io.BytesIO(), "PNG")
        return file.getvalue()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.counts, dtype)

    def __repr__(self) -> str:
        if len(self.classes) > SHOWN:
            return f"<ConfusionMatrix of {len(self.classes)} classes>"
        names = [printable(name)[:LETTERS] for name in self.classes]
        width = max(map(len, [*names, str(self.counts.max(initial=0))]))
        rows = [["", *names], *([name, *row] for name, row in zip(names, self.counts.tolist()))]
        table = "\n".join("  ".join(f"{cell:>{width}}" for cell in row) for row in rows)
        return f"{table}\n(rows are true classes, columns predictions)"
