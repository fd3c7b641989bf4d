"""Batch prediction: each prediction is written, and its picture sorted, once it is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.system import signals
from alexnet_tf.system.log import LOG
from alexnet_tf.system.text import printable

if TYPE_CHECKING:  # a single picture does not wait for them
    from alexnet_tf.inference.output.prediction_file import PredictionFile
    from alexnet_tf.inference.output.sorting import Sorter


def as_json(prediction: Prediction) -> dict[str, Any]:
    """Convert a prediction, or its error, to the dict of a JSON line."""
    if prediction.error:
        return {"file": prediction.file, "error": str(prediction.error)}
    top = [{"label": label, "probability": probability} for label, probability in prediction.top]
    record = {"file": prediction.file, **top[0], "top": top}
    return record | ({} if prediction.novelty is None else {"novelty": prediction.novelty})


@dataclass(frozen=True)
class BatchPredictor:
    """Batch prediction with `ask`, `batch` pictures at once: predictions are written, and their
    pictures sorted, in order. A killed run resumes. `prediction_file` and `sorter` must be open."""

    ask: Callable[[Sequence[str]], Iterator[Prediction]]
    batch: int = 1
    prediction_file: PredictionFile | None = None
    sorter: Sorter | None = None

    def remaining(self, pictures: Sequence[str]) -> list[str]:
        """Return those of `pictures` that have no prediction yet; sort those that have one.
        UserError if the prediction file is about other pictures."""
        pictures = [picture for picture in pictures if not self._is_known(picture)]
        if not self.prediction_file:
            return pictures
        self._catch_up()
        is_gone = self.sorter.is_finished if self.sorter else None
        return self.prediction_file.remaining(pictures, is_gone)

    def predict(self, pictures: Sequence[str], of: Sequence[str] = ()) -> Iterator[Prediction]:
        """Yield the prediction of each picture, once it is written and the picture sorted.

        If `pictures` end the list `of`, those before them in a batch are predicted again, because
        the last digit of a probability may depend on the picture's position in the batch.
        """
        if not pictures:
            return
        if self.sorter:
            self.sorter.list_anew()
        done = len(of) - len(pictures)
        again = of[done - done % self.batch : done] if of[done:] == pictures else ()
        for prediction in islice(self.ask([*again, *pictures]), len(again), None):
            record = as_json(prediction)
            if self.prediction_file:
                self.prediction_file.write(record)
            if self.sorter:
                self._place(record)
            yield prediction
            signals.check()  # a generator's finalization may have lost the exception

    def watch(self, folder: str) -> Iterator[Prediction]:
        """Yield predictions of the pictures in `folder` that have none, then of new ones."""
        from alexnet_tf.data.sources.watcher import watch_folder

        self._catch_up()
        records = self.prediction_file.records() if self.prediction_file else ()
        moves = self.sorter and self.sorter.by == "move"
        known = {record["file"] for record in records if not (moves and "label" in record)}
        if self.prediction_file:  # only those that are unchanged
            known = self.prediction_file.has_current(known)
        for pictures in watch_folder(folder):
            new = [picture for picture in pictures if picture not in known]
            if known and pictures:  # a file that later gets one of these names is new
                known -= {*pictures}
            new = [picture for picture in new if not self._is_known(picture)]
            if self.prediction_file:
                for picture in new:
                    self.prediction_file.note(picture)
            yield from self.predict(new)

    def _is_known(self, picture: str) -> bool:
        """Check whether `picture` needs no prediction, as far as the sorted folder tells."""
        if not self.sorter:
            return False
        is_placed = not self.prediction_file and self.sorter.is_placed(picture)
        return is_placed or self.sorter.skips(picture)

    def _catch_up(self) -> None:
        """Sort the pictures whose predictions an interrupted call had written."""
        if self.prediction_file and self.sorter:
            for record in self.prediction_file.records():
                if not self.sorter.is_finished(record["file"]):
                    self._place(record)

    def _place(self, record: dict[str, Any]) -> None:
        if "label" not in record or not self.sorter:
            return
        try:
            novelty = record.get("novelty", 0.0)
            self.sorter.place(record["file"], record["label"], record["probability"], novelty)
        except FileNotFoundError:
            if not os.path.lexists(record["file"]):
                LOG.warning(f"{printable(record['file'])}: was gone before it could be sorted")
            else:
                raise
