"""Warnings about labelled pictures before a training."""

from collections import Counter

from alexnet_tf.data.dataset import Dataset
from alexnet_tf.metrics.evaluation import wilson_interval
from alexnet_tf.system.text import printable

# Ratio of class sizes from which training mostly sees the larger class.
IMBALANCE = 10
# Width of the 95% interval above which the best epoch is chosen by chance.
WIDE = 0.1


def warnings(dataset: Dataset) -> list[str]:
    """Return a sentence for each problem of `dataset`."""
    found = dataset.warnings()
    unequal = imbalance(dataset)
    if unequal:
        found.append(f"{unequal}; --balance makes each of them count for more")
    pictures = len(dataset.validation)
    low, high = wilson_interval(0.9 * pictures, pictures)
    if high - low > WIDE and not dataset.is_cross_validated:
        found.append(
            f"{pictures} validation pictures choose the best epoch: an accuracy of 90% on them is "
            f"{low:.0%} to {high:.0%} on all such pictures (95% interval); use more of them"
        )
    return found


def imbalance(dataset: Dataset) -> str:
    """Describe which class has far more training pictures than another; "" if none has."""
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
