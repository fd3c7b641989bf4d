"""Which engines are fast on this machine: found by measuring, never from what a processor says."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.frozen.layers import Forward, by_openvino, by_tensorflow
from alexnet_tf.model import AlexNet
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import (
    BFLOAT16,
    FLOAT32,
    INT8,
    INT8_FROM_CONV2,
    chosen_precision,
    is_int8,
    trained_precision,
)
from alexnet_tf.system.program import installing
from alexnet_tf.variants import POOLED, get_variant

# BVLC's convolutions on small pictures: kernels of every shape, at a sixth of the places. Without
# normalization, for to compile one takes TensorFlow longer than all the rest.
MEASURED = replace(get_variant("bvlc"), image_size=115, after_conv=POOLED)
PICTURES, ROUNDS = 8, 6
# An engine that took so many times as long as the best one, twice, is not asked again.
HOPELESS = 3


def fastest_first() -> list[str]:
    """Return the precisions that can be had here, the fastest first; or that alone which the
    variable ALEXNET_TF_PRECISION names.

    Whether int8 computes a network rightly, `frozen_part` finds out.
    """
    chosen = chosen_precision()
    if chosen:
        return [chosen]
    rates = pictures_a_second()
    order = sorted(rates, key=rates.__getitem__, reverse=True)
    if INT8 in order:
        order.insert(order.index(INT8) + 1, INT8_FROM_CONV2)
    return order


def fastest_of_tensorflow() -> str:
    """Return the precision in which TensorFlow is fastest here."""
    return trained_precision(min(fastest_first(), key=is_int8))


def in_words(rates: dict[str, float]) -> str:
    """Put what `pictures_a_second` found into words, the fastest first."""
    order = sorted(rates, key=rates.__getitem__, reverse=True)
    found = ", ".join(f"{name} {rates[name]:,.0f}" for name in order)
    return f"{found} pictures of {MEASURED.image_size} pixels a second"


@cache
def pictures_a_second() -> dict[str, float]:
    """Measure each engine that works here: its precision → pictures a second.

    They take turns, so that whatever else the machine does meets all of them; and of each the
    shortest time counts, for a disturbance only ever adds to it.
    """
    pixels = np.random.RandomState(0).randint(
        0, 256, (PICTURES, MEASURED.image_size, MEASURED.image_size, 3), np.uint8
    )
    calls = {name: partial(forward, pixels) for name, forward in _engines().items()}
    seconds = {name: np.inf for name in calls if _works(calls[name])}
    for turn in range(ROUNDS):
        best = min(seconds.values())
        for name in seconds:
            if turn < 2 or seconds[name] < HOPELESS * best:
                start = time.perf_counter()
                calls[name]()
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: PICTURES / spent for name, spent in seconds.items()}


def _engines() -> dict[str, Forward]:
    """Build the network that is measured for each engine that there is."""
    networks = {}
    for name in (FLOAT32, BFLOAT16):
        with suppress(UserError):
            networks[name] = AlexNet(MEASURED, include_top=False, precision=name, seed=0)
    engines = {name: by_tensorflow(network, MEASURED) for name, network in networks.items()}
    layers = networks[FLOAT32].layers
    largest = dict.fromkeys(MEASURED.conv_layers, 1.0)
    try:
        engines[INT8] = by_openvino(layers, MEASURED, largest, INT8, PICTURES)
    except ModuleNotFoundError as error:
        warn_once(
            f"int8 may be faster, and needs {error.name}, which is not installed: "
            f"`{installing('openvino')}`"
        )
    except Exception as error:
        warn_once(f"OpenVINO does not work here ({error}), and so there is no int8")
    return engines


def _works(call: Callable[[], object]) -> bool:
    """Ask an engine for the first time, which does not count; oneDNN may have no bfloat16."""
    try:
        call()
    except Exception:  # TensorFlow's or OpenVINO's, of whatever kind
        return False
    return True
