"""The imports of a training, made once by the fork server of `forked`."""

from importlib import import_module

from alexnet_tf.system.quiet import import_tensorflow

import_tensorflow(start=lambda: None)  # the devices are for those who are forked to find
for name in ("alexnet_tf.training.loop", "alexnet_tf.reports.run_report"):
    import_module(name)
