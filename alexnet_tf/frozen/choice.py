"""The engines that are fast on this machine, by measuring, whatever the processor announces."""

import time
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.frozen.int8 import Forward, by_openvino
from alexnet_tf.frozen.layers import by_tensorflow
from alexnet_tf.model import AlexNet
from alexnet_tf.system import processor
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.program import installing
from alexnet_tf.variants import POOLED, get_variant

# BVLC's convolutions on small pictures: kernels of every shape, at a sixth of the positions;
# without normalization, which TensorFlow compiles longer than all the rest.
MEASURED = replace(get_variant("bvlc"), image_size=115, after_conv=POOLED)
PICTURES, ROUNDS = 8, 6
# An engine that took this many times as long as the best one, twice, is not measured again.
HOPELESS = 3


def fastest_first() -> list[str]:
    """Return the precisions available here, the fastest first, or only ALEXNET_TF_PRECISION.
    `frozen_part` finds out whether int8 computes a network correctly."""
    chosen = processor.chosen_precision()
    if chosen:
        return [chosen]
    order = [*pictures_a_second()]
    if processor.INT8 in order:
        order.insert(order.index(processor.INT8) + 1, processor.INT8_FROM_CONV2)
    return order


def fastest_of_tensorflow() -> str:
    """Return the precision in which TensorFlow is fastest here."""
    return processor.trained_precision(min(fastest_first(), key=processor.is_int8))


def in_words(rates: dict[str, float]) -> str:
    """Describe the rates of `pictures_a_second`."""
    found = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    return f"{found} pictures of {MEASURED.image_size} pixels a second"


@cache
def pictures_a_second() -> dict[str, float]:
    """Measure each engine that works here: precision → pictures a second, the fastest first. They
    take turns, so that other load slows all of them, and the shortest time of each counts."""
    shape = (PICTURES, MEASURED.image_size, MEASURED.image_size, 3)
    pixels = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
    engines, seconds = _engines(), {}
    for name, forward in engines.items():
        with suppress(Exception):  # of any kind: oneDNN may have no bfloat16
            forward(pixels)  # the first call, which is slower
            seconds[name] = np.inf
    for turn in range(ROUNDS):
        best = min(seconds.values())
        for name in seconds:
            if turn < 2 or seconds[name] < HOPELESS * best:
                start = time.perf_counter()
                engines[name](pixels)
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    order = sorted(seconds, key=seconds.__getitem__)
    return {name: PICTURES / seconds[name] for name in order}


def _engines() -> dict[str, Forward]:
    """Build the network to measure with each installed engine."""
    networks = {}
    for name in (processor.FLOAT32, processor.BFLOAT16):
        with suppress(UserError):
            networks[name] = AlexNet(MEASURED, include_top=False, precision=name, seed=0)
    engines = {name: by_tensorflow(network, MEASURED) for name, network in networks.items()}
    layers = networks[processor.FLOAT32].layers
    largest = dict.fromkeys(MEASURED.conv_layers, 1.0)
    try:
        engines[processor.INT8] = by_openvino(layers, MEASURED, largest, processor.INT8, PICTURES)
    except ModuleNotFoundError as error:
        warn_once(
            f"int8 may be faster, and needs {error.name}, which is not installed: "
            f"`{installing('openvino')}`"
        )
    except Exception as error:
        warn_once(f"OpenVINO does not work here ({error}), and so there is no int8")
    return engines
