"""``python -m alexnet_tf summary``: a network as a table."""

import argparse

from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import VARIANTS

HELP = "the layers of an AlexNet, their shapes and parameters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("variant", choices=tuple(VARIANTS), metavar="VARIANT", help=", ".join(VARIANTS))
    add("--classes", type=arguments.positive, default=1000, metavar="N", help="its outputs (1000)")


def run(options: argparse.Namespace) -> None:
    import_tensorflow()
    from alexnet_tf.model import AlexNet

    AlexNet(options.variant, options.classes, name=options.variant).summary()
