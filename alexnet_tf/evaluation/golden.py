"""Reference values of the network, to verify an installation with."""

import numpy as np

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.model import AlexNet
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights import Weights

# Mean of pool5, and its values at (row, column, channel), as tests/support/reference.py computes
# them in double precision from `golden_input` and `golden_weights`.
MEAN = 48.43653652
VALUES = {(0, 0, 0): 4.586250283, (2, 3, 100): 106.6806056, (5, 5, 255): 122.5441821}
# Relative to pool5's largest value.
TOLERANCE = 1e-4


def golden_error() -> float:
    """Return the largest error of BVLC's pool5, from pixels, relative to its largest value."""
    model = AlexNet(weights=golden_weights(), include_top=False)
    (pool5,) = model.predict_on_batch(preprocess_input(golden_input()[None]))
    found = np.array([pool5.mean(dtype=np.float64), *(pool5[place] for place in VALUES)])
    return float(np.abs(found - [MEAN, *VALUES.values()]).max() / pool5.max())


def golden_input() -> np.ndarray:
    """Generate a picture, uint8 (227, 227, 3), by a NumPy generator whose stream never changes."""
    return np.random.RandomState(0).randint(0, 256, (227, 227, 3), np.uint8)


def golden_weights() -> Weights:
    """Generate conv1 … conv5 with He's deviation (2015, equation 10), equally reproducible."""
    random = np.random.RandomState(0)
    return {
        name: (
            (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:3]))).astype(np.float32),
            random.standard_normal(shape[3]).astype(np.float32),
        )
        for name, shape in VARIANTS["bvlc"].conv_kernels().items()
    }
