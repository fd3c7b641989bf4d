"""Pictures behind URLs, fetched in bounded time and memory, whatever a server does."""

from __future__ import annotations

import random
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from ipaddress import ip_address
from socket import SHUT_RDWR, SOCK_STREAM, getaddrinfo, socket
from threading import Event, Lock, Thread
from types import ModuleType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    AbstractHTTPHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from alexnet_tf import __version__
from alexnet_tf.system import signals
from alexnet_tf.system.quiet import silenced

HTTP = ("http", "https")
# Seconds: the limit for a file, all attempts together; the silence after which an attempt fails;
# the wait before the second attempt, which doubles for each further one, within a half more or
# less.
MOST_SECONDS, SILENCE, FIRST_WAIT = 60, 10, 0.25
ATTEMPTS = 6
# The largest response in bytes: more than any photo, and little enough for all threads at once.
MOST_BYTES = 64 << 20
# After this many failures in a row a host gets one attempt per file, until it responds again.
PATIENCE = 20
# HTTP status codes (RFC 9110, section 15; RFC 6585) that are worth another attempt, and those of a
# missing file.
PASSING, GONE = (408, 425, 429, 500, 502, 503, 504), (404, 410)
# TensorFlow's error codes (tensorflow/core/protobuf/error_codes.proto) that are worth another
# attempt: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE.
PASSING_CODES = (2, 4, 8, 10, 13, 14)

_failures: Counter[str] = Counter()
_importing = Lock()


class _Passing(Exception):
    """A transient failure, with its reason; `wait` is the server's Retry-After in seconds."""

    def __init__(self, reason: str, wait: float = 0):
        super().__init__(reason)
        self.wait = wait


class _Private(OSError):
    """A redirect from the public internet into a private network."""


class _TooLarge(OSError):
    def __init__(self) -> None:
        super().__init__(f"it has more than {MOST_BYTES:,} bytes")


def fetch(url: str) -> bytes:
    """Return the bytes of the file at `url`: http, https, or a TensorFlow file system.

    Transient failures are retried. Raises OSError, whose message is the reason, FileNotFoundError
    if the server has no such file, and Stopped if the program is asked to end.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OSError(f"it is no valid address ({error})") from error
    get = _get if parts.scheme.lower() in HTTP else _get_by_tensorflow
    end = time.monotonic() + MOST_SECONDS
    attempts = ATTEMPTS if _failures[parts.netloc] < PATIENCE else 1
    for attempt in range(attempts):
        signals.raise_if_stopped()
        try:
            content = get(url, end)
            _failures[parts.netloc] = 0
            return content
        except _Passing as error:
            signals.raise_if_stopped()  # the connection was cut for that
            reason = str(error)
            wait = error.wait or FIRST_WAIT * 2**attempt * random.uniform(0.5, 1.5)
        if attempt == attempts - 1 or time.monotonic() + wait > end:
            break
        signals.sleep(wait)
    _failures[parts.netloc] += 1
    raise OSError(f"{reason}, after {attempt + 1} attempts" if attempt else reason)


def _get(url: str, end: float) -> bytes:
    """Try once to fetch `url` by HTTP, until the monotonic clock reaches `end`."""
    # URLs in lists may have spaces and umlauts; existing escapes are kept.
    request = Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"))
    # Some servers refuse urllib's own User-Agent.
    request.add_header("User-Agent", f"alexnet_tf/{__version__}")
    try:
        with _Connector(end) as way, _opener(way).open(request, timeout=SILENCE) as response:
            content = _read(response)
    except HTTPError as error:
        error.close()
        if error.code in GONE:
            raise FileNotFoundError from error
        if error.code in PASSING:
            wait = error.headers["Retry-After"] or ""
            seconds = float(wait) if wait.isdecimal() else 0
            raise _Passing(f"its server answers {error.code} {error.reason}", seconds) from error
        raise OSError(f"its server answers {error.code} {error.reason}") from error
    except _TooLarge:
        raise
    except (ValueError, InvalidURL) as error:
        raise OSError(f"it is no valid address ({error})") from error
    except (OSError, HTTPException) as error:
        raise _connection_error(error, end) from error
    if time.monotonic() > end or signals.is_stop_requested():  # cut, not ended
        raise _Passing(f"it takes more than {MOST_SECONDS} seconds")
    return content


def _read(response: HTTPResponse) -> bytes:
    """Read the body of a response, within the size limit."""
    if (response.length or 0) > MOST_BYTES:
        raise _TooLarge
    content = response.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _TooLarge
    if response.length:
        raise _Passing(f"it breaks off {response.length:,} bytes before its end")
    return content


def _connection_error(error: OSError | HTTPException, end: float) -> Exception:
    """Create the error for an attempt without a complete response."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, _Private):
        return reason
    if time.monotonic() > end:
        return _Passing(f"it takes more than {MOST_SECONDS} seconds")
    if isinstance(reason, TimeoutError):
        return _Passing(f"nothing comes for {SILENCE} seconds")
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    is_lasting = isinstance(reason, (ssl.SSLCertVerificationError, str))
    return OSError(words) if is_lasting else _Passing(words)


class _Connector:
    """The connections of an attempt, cut at the time `end` or when the program is asked to end.

    A timeout alone only bounds the silence between two bytes. Redirects to other servers are
    allowed, but not from the public internet into a network that only this machine reaches.
    """

    def __init__(self, end: float):
        self._end = end
        self._watched: list[socket] = []
        self._began_in_public: bool | None = None
        self._over = Event()

    def __enter__(self) -> _Connector:
        Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        for connection in self._watched:
            connection.close()

    def _watch(self) -> None:
        while not self._over.wait(signals.GLANCE):
            if time.monotonic() > self._end or signals.is_stop_requested():
                for connection in [*self._watched]:
                    with suppress(OSError):
                        connection.shutdown(SHUT_RDWR)

    def connect(self, place: tuple[str, int], timeout: float, source: None = None) -> socket:
        """Connect to `place` by any of its addresses, within `timeout` seconds altogether."""
        end = min(self._end, time.monotonic() + timeout)
        addresses = getaddrinfo(*place, type=SOCK_STREAM)
        for left, found in zip(range(len(addresses), 0, -1), addresses):
            is_public = ip_address(str(found[-1][0]).partition("%")[0]).is_global
            if self._began_in_public and not is_public:
                raise _Private(
                    f"it is sent on to {place[0]}, which is this machine or in a private network; "
                    "name that address itself, if it is meant"
                )
            try:
                connection = self._connect(found, (end - time.monotonic()) / left)
            except OSError:
                if left == 1 or signals.is_stop_requested():
                    raise
                continue
            if self._began_in_public is None:
                self._began_in_public = is_public
            connection.settimeout(timeout)
            return connection
        raise OSError(f"{place[0]} has no address")

    def _connect(self, found: tuple[Any, ...], timeout: float) -> socket:
        """Connect to the addresses that `getaddrinfo` has found."""
        *kind, _, address = found
        connection = socket(*kind)
        self._watched.append(connection.dup())  # TLS takes over the original
        try:
            connection.settimeout(max(0.001, timeout))
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection


def _opener(way: _Connector) -> OpenerDirector:
    """Create an opener for http and https only, also after redirects, with the system's proxies."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        _Handler(way),
        _Redirects(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Handler(AbstractHTTPHandler):
    http_request = https_request = AbstractHTTPHandler.do_request_

    def __init__(self, way: _Connector):
        super().__init__()
        self._way = way

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self._connected(HTTPConnection), request)

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self._connected(HTTPSConnection), request, context=_trusted())

    def _connected(self, kind: type[HTTPConnection]) -> Callable[..., HTTPConnection]:
        def connection(*arguments: Any, **options: Any) -> HTTPConnection:
            made = kind(*arguments, **options)
            made._create_connection = self._way.connect  # type: ignore[attr-defined]
            return made

        return connection


class _Redirects(HTTPRedirectHandler):
    """A redirect handler for http and https that does not read the body of the redirect."""

    def http_error_302(self, request, answer, *details):  # type: ignore[no-untyped-def]
        answer.read = lambda: b""
        return super().http_error_302(request, answer, *details)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _get_by_tensorflow(url: str, end: float) -> bytes:
    """Try once to read `url` through a TensorFlow file system, which bounds the time itself."""
    tf = _tensorflow()
    scheme = urlsplit(url).scheme.lower()
    if scheme == "file" or scheme not in tf.io.gfile.get_registered_schemes():
        raise OSError(_how_to_read(scheme))
    try:
        with tf.io.gfile.GFile(url, "rb") as file:
            if file.size() > MOST_BYTES:
                raise _TooLarge
            return file.read()
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError from error
    except tf.errors.OpError as error:
        kind = _Passing if error.code in PASSING_CODES else OSError
        raise kind(" ".join(error.message.split())) from error


def _tensorflow() -> ModuleType:
    with _importing, silenced():
        import tensorflow as tf

    return tf


def _how_to_read(scheme: str) -> str:
    if scheme == "file":
        return "name the path of the file, without file://"
    return (
        f"{scheme}:// is read neither by this program nor by this TensorFlow; mount it and name "
        "the path, or name an https:// address, which may be a presigned one"
    )
