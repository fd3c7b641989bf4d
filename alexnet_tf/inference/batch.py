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
    return {"file": prediction.file, **top[0], "top": top}


@dataclass(frozen=True)
class BatchPredictor:
    """Batch prediction with `ask`; predictions are written, and their pictures sorted, in order.

    A run that was killed at any moment resumes. `prediction_file` and `sorter` must be open.
    `batch` is the number of pictures predicted at once.
    """

    ask: Callable[[Sequence[str]], Iterator[Prediction]]
    batch: int = 1
    prediction_file: PredictionFile | None = None
    sorter: Sorter | None = None

    def remaining(self, pictures: Sequence[str]) -> list[str]:
        """Return those of `pictures` that have no prediction yet; sort those that have one.

        Raises UserError if the prediction file is about other pictures.
        """
        pictures = [picture for picture in pictures if not self._is_skipped(picture)]
        if self.prediction_file:
            self._catch_up()
            return self.prediction_file.remaining(pictures, self._is_moved)
        if self.sorter:
            return [picture for picture in pictures if not self.sorter.is_placed(picture)]
        return pictures

    def predict(self, pictures: Sequence[str], again: Sequence[str] = ()) -> Iterator[Prediction]:
        """Yield the prediction of each picture, once it is written and the picture sorted.

        Pictures to predict `again` come first in the batch; their predictions are discarded.
        """
        if self.sorter:
            self.sorter.list_anew()
        asked = [*again, *pictures] if pictures else []
        for prediction in islice(self.ask(asked), len(again), None) if asked else ():
            record = as_json(prediction)
            if self.prediction_file:
                self.prediction_file.write(record)
            if self.sorter:
                self._place(record)
            yield prediction
            signals.check()  # a generator's finalization may have lost the exception

    def again(self, pictures: Sequence[str], remaining: Sequence[str]) -> Sequence[str]:
        """Return the predicted pictures of the batch in which those `remaining` begin.

        The last digit of a probability may depend on the picture's position in the batch.
        """
        done = len(pictures) - len(remaining)
        goes_on = pictures[done:] == remaining
        return pictures[done - done % self.batch : done] if goes_on else ()

    def watch(self, folder: str) -> Iterator[Prediction]:
        """Yield predictions of the pictures in `folder` that have none, then of new ones."""
        from alexnet_tf.data.sources.watcher import watch_folder

        self._catch_up()
        known = self._predicted()
        for pictures in watch_folder(folder):
            new = [picture for picture in pictures if picture not in known]
            if known and pictures:  # a file that later gets one of these names is new
                known -= {*pictures}
            new = [picture for picture in new if not self._is_known(picture)]
            if self.prediction_file:
                for picture in new:
                    self.prediction_file.note(picture)
            yield from self.predict(new)

    def _predicted(self) -> set[str]:
        """Return the pictures with a prediction, which should still be in place and unchanged."""
        records = self.prediction_file.records() if self.prediction_file else ()
        moves = self.sorter and self.sorter.by == "move"
        files = {record["file"] for record in records if not (moves and "label" in record)}
        return self.prediction_file.has_current(files) if self.prediction_file else files

    def _is_known(self, picture: str) -> bool:
        is_placed = self.sorter and not self.prediction_file and self.sorter.is_placed(picture)
        return bool(is_placed) or self._is_skipped(picture)

    def _is_skipped(self, picture: str) -> bool:
        return self.sorter is not None and self.sorter.skips(picture)

    def _is_moved(self, picture: str) -> bool:
        return self.sorter is not None and self.sorter.is_finished(picture)

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
            self.sorter.place(record["file"], record["label"], record["probability"])
        except FileNotFoundError:
            if not os.path.lexists(record["file"]):
                LOG.warning(f"{printable(record['file'])}: was gone before it could be sorted")
            else:
                raise
