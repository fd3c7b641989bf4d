"""Arguments and output of the usual recipe, whichever library it is written in."""

import time

BATCH = 128
SEED = 0
# BGR, of 0–255: the channel means of Caffe's ilsvrc_2012_mean.npy.
MEAN = (104.007, 116.669, 122.679)
LEARNING_RATE = 1e-4
MOMENTUM = 0.9
STARTED = time.monotonic()
# Seconds after which a training until some accuracy ends without it.
GIVEN_UP = 1800
# The AlexNets that the recipes are written for.
VARIANTS = ("bvlc", "caffenet")


def goes_on(epoch: int, accuracy: float, until: float | None) -> bool:
    """Print how far a training is, in seconds since its library was imported; return whether it is
    to go on, which is until that accuracy or, without one, to its last epoch."""
    seconds = time.monotonic() - STARTED
    print(f"epoch {epoch} seconds {seconds:.1f} accuracy {accuracy:.4f}", flush=True)
    return until is None or (accuracy < until and seconds < GIVEN_UP)
