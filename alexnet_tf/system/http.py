"""HTTP by urllib3, which keeps connections open: in bounded time, and with careful redirects. Alone
it bounds the silence between two bytes, not a whole request; reads the body of each redirect to its
end; and follows redirects into private networks."""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from ipaddress import ip_address
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, make_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationValueError, NewConnectionError
from urllib3.util import parse_url

from alexnet_tf import __version__
from alexnet_tf.system import signals

SCHEMES = ("http", "https")
MOST_REDIRECTS = 10
# Open connections that are kept for each host, and the hosts.
MOST_KEPT, MOST_HOSTS = 32, 64
# Some servers refuse the User-Agents of libraries.
AGENT = {"User-Agent": f"alexnet_tf/{__version__}"}


class StatusError(OSError):
    """A response without the file: its status `code`, and its Retry-After in seconds, or 0."""

    def __init__(self, response: BaseHTTPResponse):
        super().__init__(f"{response.status} {response.reason}")
        self.code = response.status
        after = response.headers.get("Retry-After", "")
        self.wait = float(after) if after.isdecimal() else 0.0


class RedirectError(OSError):
    """A redirect that is not followed, for a reason that will not pass."""


@contextmanager
def get(
    url: str, silence: float, end: float = math.inf, headers: dict[str, str] | None = None
) -> Iterator[BaseHTTPResponse]:
    """Yield the response to a GET of `url`, whose body is not read yet.

    The request fails after `silence` seconds without a byte. With `end`, a time of the monotonic
    clock, it also fails then, and when the program is asked to end. Raises ValueError if `url` is
    invalid, and OSError otherwise: StatusError, RedirectError, TimeoutError, …
    """
    with _Request(silence, end) as request:
        try:
            with _follow(url, silence, headers or {}) as response:
                if not 200 <= response.status < 300:
                    raise StatusError(response)
                yield response
        except LocationValueError:  # a ValueError too
            raise
        except HTTPError as error:
            raise _cause(error) from None
        if request.is_cut:
            raise TimeoutError


def _follow(url: str, silence: float, headers: dict[str, str]) -> BaseHTTPResponse:
    """Return the response at the end of all redirects from `url`."""
    for _ in range(MOST_REDIRECTS + 1):
        if parse_url(url).auth:
            raise ValueError("it names a user")
        response = pools(_proxy(url)).request(
            "GET", url, headers=AGENT | headers, timeout=silence, retries=False, redirect=False,
            preload_content=False, decode_content=False, enforce_content_length=False,
        )  # fmt: skip
        place = response.get_redirect_location()
        if not place:
            return response
        response.close()  # unread, because its body may never end
        url = urljoin(url, place)
        if urlsplit(url).scheme not in SCHEMES:
            raise RedirectError(f"it is sent on to {url}, which is neither http nor https")
    raise RedirectError(f"it is sent on more than {MOST_REDIRECTS} times")


def _cause(error: BaseException) -> OSError:
    """Return what is below urllib3's exceptions, as an OSError."""
    while isinstance(error, HTTPError) and (below := error.__cause__ or error.__context__):
        error = below
    return error if isinstance(error, OSError) else OSError(str(error) or type(error).__name__)


def _proxy(url: str) -> str | None:
    """Return the system's proxy for `url`, if any."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


@cache
def pools(proxy: str | None) -> PoolManager:
    """Return the open connections through `proxy`, or the direct ones."""
    options: dict[str, Any] = {"num_pools": MOST_HOSTS, "maxsize": MOST_KEPT}
    options["ssl_context"] = ssl.create_default_context()
    if proxy:
        user = unquote(parse_url(proxy).auth or "")
        options["proxy_headers"] = make_headers(proxy_basic_auth=user) if user else {}
    manager = ProxyManager(proxy, **options) if proxy else PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return manager


class _Request:
    """The connections of a request: cut at the time `end`, and refused where a redirect leads from
    the public internet into a network that only this machine reaches."""

    def __init__(self, silence: float, end: float):
        self.is_cut = False
        self._silence, self._end = silence, end
        self._began_in_public: bool | None = None
        self._watched: list[socket.socket] = []
        self._over = Event()

    def __enter__(self) -> _Request:
        self._before = _current.set(self)
        if self._end < math.inf:
            Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        _current.reset(self._before)
        for each in self._watched:
            each.close()

    def _watch(self) -> None:
        while not self._over.wait(signals.GLANCE):
            if time.monotonic() > self._end or signals.is_stop_requested():
                self.is_cut = True
                for each in [*self._watched]:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)

    def connect(self, connection: _Connection) -> socket.socket:
        """Connect to any address of the connection's host, in `silence` seconds altogether."""
        host = connection.host.strip("[]")
        end = min(self._end, time.monotonic() + self._silence)
        addresses = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
        for left, (*kind, _, address) in zip(range(len(addresses), 0, -1), addresses):
            connection.is_public = ip_address(str(address[0]).partition("%")[0]).is_global
            self._check(connection)
            connected = socket.socket(*kind)
            self._watched.append(connected.dup())  # TLS takes over the original
            try:
                connected.settimeout(max(0.001, (end - time.monotonic()) / left))
                connected.connect(address)
            except OSError:
                connected.close()
                if left == 1 or signals.is_stop_requested():
                    raise
                continue
            connected.settimeout(self._silence)
            return connected
        raise OSError(f"{host} has no address")

    def use(self, connection: _Connection) -> None:
        """Prepare to use a connection, which an earlier request may have opened."""
        self._check(connection)
        if self._began_in_public is None:
            self._began_in_public = connection.is_public
        number = connection.sock.fileno()
        self._watched.append(socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM))

    def _check(self, connection: _Connection) -> None:
        if self._began_in_public and not connection.is_public:
            raise RedirectError(
                f"it is sent on to {connection.host}, which is this machine or in a private "
                "network; name that address itself, if it is meant"
            )


# The request of this thread: urllib3 chooses its connections.
_current: ContextVar[_Request] = ContextVar("_current")


class _Connection(HTTPConnection):
    """A connection that asks the current request how to connect, and whether it may be used."""

    is_public = False

    def _new_conn(self) -> socket.socket:
        try:
            return _current.get().connect(self)
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.is_closed:
            self.connect()
        _current.get().use(self)
        super().request(*arguments, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
