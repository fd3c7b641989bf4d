import pytest

from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.schedules import learning_rate


def test_a_constant_rate_stays():
    settings = Settings(learning_rate=0.003)
    assert learning_rate(settings, [0.5] * 100, 10**9) == 0.003


def test_it_falls_where_the_accuracy_stays_on_a_plateau():
    """After two epochs without a new best the rate falls, and counting starts again."""
    settings = Settings(schedule="plateau", learning_rate=0.01, decay=0.1, patience=2)
    accuracies = [0.5, 0.6, 0.6, 0.7, 0.65, 0.7, 0.6, 0.71, 0.7, 0.71, 0.71, 0.7]
    rates = [learning_rate(settings, accuracies[:epoch], 0) for epoch in range(13)]
    # After epochs 5 and 6, which are no better than 4; after 9 and 10; and after 11 and 12.
    assert rates == pytest.approx([0.01] * 6 + [0.001] * 4 + [0.0001] * 2 + [0.00001])


def test_it_falls_whenever_so_many_pictures_were_seen():
    """PaddlePaddle's discexp: rate × a ^ floor(samples / b)."""
    settings = Settings(schedule="exponential", learning_rate=0.1)
    rates = [learning_rate(settings, [], seen) for seen in (0, 4_999_999, 5_000_000, 10_000_001)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.001])
    settings = Settings(schedule="exponential", learning_rate=1.0, decay=0.5, decay_samples=100)
    assert learning_rate(settings, [0.1, 0.9], 350) == 0.125


def test_it_falls_along_half_a_cosine_after_the_warm_up():
    """By hand: 100 pictures an epoch, one epoch of warm-up in batches of 50, then four down."""
    settings = Settings(schedule="cosine", fall=5, warm_up=1.0, learning_rate=0.02, batch_size=50)
    rates = [learning_rate(settings, [], seen, 100) for seen in (0, 50, 100, 300, 400, 500, 600)]
    falling = [0.02, 0.01, 0.02 * (1 - 0.5**0.5) / 2, 0, 0]
    assert rates == pytest.approx([0.01, 0.02, *falling])
