"""Weights, written in the formats that are read."""

from __future__ import annotations

import pickle
import zipfile

import h5py
import numpy as np

from alexnet_tf.weights.formats.hdf5 import LAYERS as GROUPS
from alexnet_tf.weights.formats.pytorch import LAYERS, MAGIC_NUMBER


def write_npy(path, weights):
    """Write the layout of bvlc_alexnet.npy."""
    np.save(path, np.array({name: list(pair) for name, pair in weights.items()}, object))


def write_npz(path, weights):
    """Write our own format, in floats."""
    kernels = {f"{name}/kernel": kernel for name, (kernel, _) in weights.items()}
    np.savez(path, **kernels, **{f"{name}/bias": bias for name, (_, bias) in weights.items()})


def write_pth(path, weights, zipped=True):
    """Write what torch.save does of a state dict, but for the pickle's memo."""
    arrays = {}
    for place in (place for place in LAYERS if LAYERS[place] in weights):
        name = LAYERS[place]
        kernel, bias = weights[name]
        if name == "fc6":
            places = kernel.reshape(-1, weights["conv5"][0].shape[-1], kernel.shape[-1])
            kernel = places.transpose(1, 0, 2).reshape(kernel.shape)
        arrays[f"{place}.weight"] = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        arrays[f"{place}.bias"] = bias
    entries = [plain(name) + tensor(str(i), arrays[name].shape) for i, name in enumerate(arrays)]
    state = b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(entries) + b"u."
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("alexnet/data.pkl", state)
            for key, array in enumerate(arrays.values()):
                archive.writestr(f"alexnet/data/{key}", array.tobytes())
    else:
        keys = [str(key) for key in range(len(arrays))]
        start = [pickle.dumps(item, 2) for item in (MAGIC_NUMBER, 1001, {})]
        numbers = [array.size.to_bytes(8, "little") + array.tobytes() for array in arrays.values()]
        path.write_bytes(b"".join([*start, state, pickle.dumps(keys, 2), *numbers]))


def tensor(key, shape, strides=None):
    """Return the opcodes of torch._utils._rebuild_tensor_v2 over the storage `key`."""
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    storage = b"(" + plain("storage") + b"ctorch\nFloatStorage\n"
    storage += plain(key) + plain("cpu") + plain(int(np.prod(shape))) + b"tQ"
    view = plain(0) + plain(shape) + plain(strides) + plain(False)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"NtR"


def plain(value):
    """Return the opcodes of a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def write_h5(path, weights):
    """Write what Keras's save_weights does, in the groups of an AlexNet."""
    with h5py.File(path, "w") as file:
        for group, name in GROUPS.items():
            variables = file.create_group(f"layers/{group}/vars")
            for number, array in enumerate(weights[name]):
                variables.create_dataset(str(number), data=array)
