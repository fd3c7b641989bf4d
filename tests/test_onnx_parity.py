"""A file of ONNX here and in onnxruntime, whose network is nobody's but its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from alexnet_tf.model import AlexNet
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights_file
from tests.support.caffe import random_weights
from tests.support.formats import torch_arrays
from tests.test_readers import assert_same

# Relative to the largest probability, in float32.
TOLERANCE = 1e-5


def whole_model(variant, weights):
    """Put `weights` into the graph that the package onnx has of BVLC AlexNet, made for 227 pixels.

    Its own kernels are one number each, repeated. CaffeNet pools before it normalizes.
    """
    model = onnx.load(onnx.__path__[0] + "/backend/test/data/light/light_bvlc_alexnet.onnx")
    graph = model.graph
    for axis in (2, 3):
        graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 227
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    if variant == "caffenet":
        for place in [place for place, node in enumerate(nodes) if node.op_type == "LRN"]:
            norm, pool = nodes[place : place + 2]
            start, middle, end = norm.input[0], norm.output[0], pool.output[0]
            pool.input[0], pool.output[0] = start, middle
            norm.input[0], norm.output[0] = middle, end
            nodes[place : place + 2] = pool, norm
    del graph.node[:], graph.input[1:]
    graph.node.extend(nodes)
    dummy = [tensor for tensor in graph.initializer if not tensor.name.endswith("__SHAPE")]
    names = (f"{layer}_{part}_0" for layer in weights for part in "wb")
    stored = map(numpy_helper.from_array, torch_arrays(weights).values(), names)
    del graph.initializer[:]
    graph.initializer.extend([*dummy, *stored])
    return model


@pytest.mark.parametrize(
    ("name", "units", "size"), [("bvlc", 4096, 243_860_000), ("caffenet", 64, 0)]
)
def test_a_whole_network_answers_as_in_onnxruntime(tmp_path, name, units, size):
    variant = replace(VARIANTS[name], fc_units=(units, units))
    weights, path = random_weights(variant), tmp_path / "whole.onnx"
    onnx.save(whole_model(name, weights), path)
    assert path.stat().st_size > size

    found = read_weights_file(path)
    assert_same(found.layers, weights)
    assert name in found.recognized().variants

    picture = np.random.default_rng(1).normal(0, 60, (1, 227, 227, 3)).astype(np.float32)
    ours = AlexNet(variant, weights=path)(picture).numpy()[0]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"data_0": np.ascontiguousarray(picture.transpose(0, 3, 1, 2))})
    error = np.abs(ours - theirs[0]).max() / theirs.max()
    print(f"{error:.1e}")
    assert error <= TOLERANCE
