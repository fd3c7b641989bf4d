"""What the usual recipe is told, in whichever library it is written."""

BATCH = 128
SEED = 0
# BGR, of 0–255: the channel means of Caffe's ilsvrc_2012_mean.npy.
MEAN = (104.007, 116.669, 122.679)
LEARNING_RATE = 1e-4
MOMENTUM = 0.9
# The AlexNets that the recipes are written for.
VARIANTS = ("bvlc", "caffenet")
