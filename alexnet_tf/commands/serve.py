"""``python -m alexnet_tf serve``: a page, and an interface over HTTP, for finished networks."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from alexnet_tf import starter
from alexnet_tf.commands import cli, teach
from alexnet_tf.commands import common_options as common
from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system import arguments
from alexnet_tf.system.program import installing, installing_all
from alexnet_tf.system.quiet import has_tensorflow
from alexnet_tf.system.text import printable
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import find_weights, read_weights_file

if TYPE_CHECKING:
    import uvicorn

    from alexnet_tf.serving.application import Served
    from alexnet_tf.serving.networks import ServedNetwork

HELP = "a page that classifies pictures and learns new classes, and an API over HTTP"
PACKAGES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}
TOKEN = "ALEXNET_TF_TOKEN"
PORTS = {"http": 80, "https": 443}
# Seconds that a shutdown waits for running requests: Docker kills after 10.
PATIENCE = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a finished run; the page offers several as a choice (the latest finished one, or else"
        " the starter)",
    )
    add("--host", default="localhost", metavar="NAME", help="the address it listens at (localhost)")
    add("--port", default=8080, type=arguments.port, metavar="N", help="the port (8080)")
    add(
        "--weights",
        metavar="FILE",
        help="pretrained weights: training in the page starts from their convolutions, and with all"
        f" eight layers they predict ImageNet's classes too ({DEFAULTS['weights']} if it is there,"
        " or else the starter's convolutions)",
    )
    add("--variant", choices=VARIANTS, help=f"the AlexNet of these weights ({DEFAULTS['variant']})")
    common.add_precision(parser)
    add("--index", metavar="DIR", help="show similar pictures from this index, made by `similar`")
    add(
        "--cors",
        action="append",
        default=[],
        type=_origin,
        metavar="ORIGIN",
        help="allow requests of pages of this site, such as https://example.org (none)",
    )
    add(
        "--proxy",
        action="append",
        default=[],
        type=_network,
        metavar="ADDRESS",
        help="a proxy in front of the server, an IP address or network such as 10.0.0.0/8: only"
        " what X-Forwarded-For says of its requests is believed, and it checks the site's name",
    )
    limits = parser.add_argument_group("limits")
    for name, default, words in (
        ("megabytes", 32, "megabytes in a request"),
        ("pictures", 32, "pictures in a request"),
        ("waiting", 128, "pictures in the queue; further requests get 503"),
        ("rate", 100, "requests a second from one address"),
    ):
        limits.add_argument(
            f"--{name}",
            default=default,
            type=arguments.positive,
            metavar="N",
            help=f"the most {words} (%(default)s)",
        )


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; then finish the running requests."""
    for module, package in PACKAGES.items():
        if not find_spec(module):
            raise UserError(
                f"serving needs {package}, which is not installed: "
                + installing(*PACKAGES.values())
            )
    import uvicorn

    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of broken forms
    from alexnet_tf.serving.application import make_app
    from alexnet_tf.serving.timeouts import Protocol
    from alexnet_tf.serving.trainer_process import sessions_folder

    listening = _listen(options.host, options.port)
    address, port, *_ = listening.getsockname()
    is_local = _is_loopback(address) and not options.proxy
    teaches = (is_local or os.environ.get(TOKEN)) and has_tensorflow()
    with sessions_folder() if teaches else nullcontext() as folder:
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(_served(options, is_local, folder)),
                http=Protocol,
                ws="none",
                log_level="error",
                server_header=False,
                proxy_headers=bool(options.proxy),
                forwarded_allow_ips=options.proxy,
                timeout_graceful_shutdown=PATIENCE,
            )
        )
        print(f"open http://{_url_host(options.host)}:{port}/", flush=True)
        with _hung_up(server):
            server.run([listening])
    return 0 if server.started else 1


@contextmanager
def _hung_up(server: uvicorn.Server) -> Iterator[None]:
    """Run a block in which a closed terminal ends the server as SIGTERM does."""
    number = getattr(signal, "SIGHUP", 0)
    before = signal.getsignal(number) if number else None
    if before in (None, signal.SIG_IGN):  # on Windows, and under nohup
        yield
        return
    signal.signal(number, lambda _, frame: server.handle_exit(signal.SIGTERM, frame))
    try:
        yield
    finally:
        signal.signal(number, before)


def _listen(host: str, port: int) -> socket.socket:
    """Listen at an address, by IPv4 where it has one; UserError where that cannot be."""
    try:
        families = [found[0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        return socket.create_server((host, port), family=min(families))
    except (OSError, OverflowError) as error:
        raise UserError(
            f"{_url_host(host)}:{port}: the server cannot listen there ({error}); another program "
            "may be, so give another --port, or a --host of this machine"
        ) from error


def _is_loopback(address: str) -> bool:
    """Tell whether only this computer reaches an address, 127.0.0.1, ::1 and their like."""
    found = ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _url_host(host: str) -> str:
    return f"[{printable(host)}]" if ":" in host else printable(host)


def _origin(text: str) -> str:
    """Read what --cors names, and spell it as browsers do."""
    try:
        scheme, netloc, *rest = urlsplit(text.lower().removesuffix("/"))
        port = urlsplit(text).port
    except ValueError:
        scheme = netloc = ""
    if not (scheme and netloc) or any(rest):
        raise argparse.ArgumentTypeError(
            f"{printable(text)} is no site; name one as in https://example.org"
        )
    return (
        f"{scheme}://{netloc.removesuffix(f':{port}') if port == PORTS.get(scheme, 0) else netloc}"
    )


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{printable(text)} is no address; name one as in 127.0.0.1 or 10.0.0.0/8"
        ) from error


def _served(options: argparse.Namespace, is_local: bool, folder: Path | None) -> Served:
    """Open what the options name; `folder` holds training sessions, None allows none."""
    from alexnet_tf.serving.application import Served
    from alexnet_tf.serving.explanations import LookAlikes
    from alexnet_tf.serving.host import LOOPBACK
    from alexnet_tf.serving.limits import Limits
    from alexnet_tf.serving.trainer_process import TrainerProcess

    weights, variant = _weights(options)
    if not folder:
        lacking = f"a token ({TOKEN})" if has_tensorflow() else "TensorFlow"
        print(
            f"alexnet_tf: without {lacking} there is no training at "
            f"{printable(options.host)}, only prediction",
            file=sys.stderr,
        )
    if options.index and not has_tensorflow():
        raise UserError(f"--index: needs TensorFlow, which is not installed; {installing_all()}")
    networks = _networks(options)
    index = LookAlikes(options.index, networks[0].engine) if options.index else None
    return Served(
        networks,
        _imagenet(weights, variant, options.precision),
        index,
        TrainerProcess(teach.command(weights, variant, folder), folder) if folder else None,
        Limits(options.megabytes << 20, options.pictures, options.waiting, options.rate),
        tuple(dict.fromkeys((*LOOPBACK, options.host.lower()))) if is_local else (),
        tuple(options.cors),
        os.environ.get(TOKEN),
    )


def _weights(options: argparse.Namespace) -> tuple[str, str]:
    """Choose the weights that training sessions start from, and their variant."""
    weights = options.weights or DEFAULTS["weights"]
    if not options.weights and not find_weights(weights).is_file():
        cli.refuse(options, ("--variant",), f"describes weights, and there is no {weights}")
        return starter.NAME, starter.VARIANT
    return weights, options.variant or starter.variant_of(weights, DEFAULTS["variant"])


def _networks(options: argparse.Namespace) -> list[ServedNetwork]:
    """Open the runs, under the names of their folders; those that come again are numbered."""
    networks, counts = [], Counter[str]()
    for run in common.named_runs(options.runs):
        name = printable(run.directory.absolute().name)
        counts[name] += 1
        shown = f"{name} ({counts[name]})" if counts[name] > 1 else name
        networks.append(_prepared(shown, Engine.of_run(run), options.precision))
    return networks


def _imagenet(weights: str, variant: str, precision: str | None) -> ServedNetwork | None:
    """Open the network of ImageNet's classes, where the weights are one."""
    if starter.is_starter(weights):
        return None
    layers = read_weights_file(weights).layers
    if "fc8" not in layers or len(layers["fc8"][1]) != len(imagenet_classes()):
        return None
    return _prepared("ImageNet", Engine.of_imagenet(weights, variant), precision)


def _prepared(name: str, engine: Engine, precision: str | None) -> ServedNetwork:
    """Predict once with a network, so that the first request does not wait."""
    from alexnet_tf.serving.networks import ServedNetwork

    engine.precision = precision
    network = ServedNetwork(name, engine, engine.single())
    side = engine.variant.picture_size
    network.predict(np.zeros((1, side, side, 3), np.uint8))
    return network
