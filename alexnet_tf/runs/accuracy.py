"""The accuracy of a finished run, which is shown wherever the run is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from alexnet_tf.errors import UserError
from alexnet_tf.metrics.evaluation import wilson_interval
from alexnet_tf.runs.history import best_epoch, read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import read_json, write_json

# Its entry in config.json.
KEY = "accuracy"
# Each of the pictures was predicted by a head that was trained without it.
CROSS_VALIDATED = "cross-validated"
PARTS = ("test", "validation", CROSS_VALIDATED)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a network on the `pictures` of a `part` of the data: "test" if there is a
    test set, which chose nothing, or else "validation" or `CROSS_VALIDATED`. `chance` is the share
    of the most frequent class."""

    part: str
    value: float
    pictures: int
    chance: float

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for impossible values: config.json may be a stranger's."""
        is_share = all(0 <= share <= 1 for share in (self.value, self.chance))
        is_count = type(self.pictures) is int and self.pictures > 0
        if not (is_share and is_count and self.part in PARTS):
            raise ValueError

    @classmethod
    def of(cls, part: str, value: float, labels: Iterable[object]) -> Accuracy:
        """Return the accuracy `value` on pictures of these labels."""
        counts = Counter(labels)
        return cls(part, value, counts.total(), max(counts.values()) / counts.total())

    def interval(self) -> tuple[float, float]:
        """Return its 95% interval for all such pictures."""
        return wilson_interval(self.value * self.pictures, self.pictures)

    def is_better_than_chance(self) -> bool:
        """Check whether the accuracy is significantly above chance."""
        return self.interval()[0] > self.chance

    def __str__(self) -> str:
        return f"accuracy {self.value:.4f} on {self.pictures:,} {self.part} pictures"


def keep_accuracy(run: Run, accuracy: Accuracy) -> None:
    """Write the accuracy of a finished run into its config.json."""
    write_json(run.config_path, read_json(run.config_path) | {KEY: asdict(accuracy)})


def read_accuracy(run: Run) -> Accuracy | None:
    """Return the accuracy in config.json; for a run of an earlier version, the validation accuracy
    of its best epoch; None if that cannot be read either."""
    try:
        config = run.read_config()
        kept = config.get(KEY)
        if kept is not None:
            return Accuracy(**kept)
        from alexnet_tf.data.sources.lists import read_list  # a cold prediction needs no lists

        settings = Settings(**config["settings"])
        history = read_history(run)[: settings.epochs]
        best = history[best_epoch(history, settings.best) - 1]
        labels = [label for _, label in read_list(run.directory / "val.txt")]
        return Accuracy.of("validation", best["val_accuracy"], labels)
    except (UserError, OSError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
