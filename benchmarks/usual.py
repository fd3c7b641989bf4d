"""What the usual recipe is told and says, in whichever library it is written."""

import time

BATCH = 128
SEED = 0
# BGR, of 0–255: the channel means of Caffe's ilsvrc_2012_mean.npy.
MEAN = (104.007, 116.669, 122.679)
LEARNING_RATE = 1e-4
MOMENTUM = 0.9
STARTED = time.monotonic()
# The AlexNets that the recipes are written for.
VARIANTS = ("bvlc", "caffenet")


def say(epoch: int, accuracy: float) -> None:
    """Print how far the training is, in seconds since its library was imported."""
    seconds = time.monotonic() - STARTED
    print(f"epoch {epoch} seconds {seconds:.1f} accuracy {accuracy:.4f}", flush=True)
