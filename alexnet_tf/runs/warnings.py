"""What is said of labelled pictures before a training begins, for it will show in the answers."""

from __future__ import annotations

from collections import Counter

from alexnet_tf.data.dataset import Dataset
from alexnet_tf.metrics.intervals import wilson_interval
from alexnet_tf.system.text import printable

# A class this many times as large as another is most of what training sees.
IMBALANCE = 10
# With a wider 95% interval than this, the best of several epochs is best by chance.
WIDE = 0.1


def warnings(dataset: Dataset) -> list[str]:
    """Return a sentence for whatever makes a training on `dataset` less than it seems."""
    found = dataset.warnings()
    unequal = imbalance(dataset)
    if unequal:
        found.append(f"{unequal}; --balance makes each of them count for more")
    pictures = len(dataset.validation)
    low, high = wilson_interval(0.9 * pictures, pictures)
    if high - low > WIDE and not dataset.is_cross_validated:
        found.append(
            f"{pictures} validation pictures choose the best epoch: where 90% of them are right, it"
            f" is {low:.0%} to {high:.0%} of all such pictures (95% interval); more would tell more"
        )
    return found


def imbalance(dataset: Dataset) -> str:
    """Say which class has far more training pictures than another; "" if none has."""
    counts = Counter(picture.label for picture in dataset.train)
    sizes = {name: counts[index] for index, name in enumerate(dataset.classes)}
    few, many = (choose(sizes, key=sizes.__getitem__) for choose in (min, max))
    if sizes[many] <= IMBALANCE * sizes[few]:
        return ""
    return (
        f"'{printable(many)}' has {sizes[many]} pictures to train with and '{printable(few)}' "
        f"{sizes[few]}, so that few of the second will be recognized; add some, or leave some of "
        "the first out"
    )
