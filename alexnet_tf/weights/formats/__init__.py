"""One module for each format of weights; `alexnet_tf.weights.loading` is their only caller.

A reader takes a path and returns the `Content`: layer name → (kernel, bias), floats in the layout
that `alexnet_tf.weights` describes, as views of the mapped file wherever its layout allows. It runs
nothing that the file names and allocates nothing that the file only promises. For content that it
understands but cannot use it raises BadFile, a reason without the path; for broken content it may
raise anything.
"""

from alexnet_tf.weights.formats.caffemodel import read_caffemodel
from alexnet_tf.weights.formats.hdf5 import read_h5, read_keras
from alexnet_tf.weights.formats.npy import read_npy
from alexnet_tf.weights.formats.npz import read_npz
from alexnet_tf.weights.formats.pytorch import read_pytorch

READERS = {
    ".npy": read_npy,
    ".caffemodel": read_caffemodel,
    ".pth": read_pytorch,
    ".npz": read_npz,
    ".keras": read_keras,
    ".h5": read_h5,
}
