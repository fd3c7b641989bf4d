"""ASGI middleware: limits on hosts, rates and bodies; security headers; metrics."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alexnet_tf.serving.host import check_host, check_site
from alexnet_tf.serving.limits import AGAIN, Load, overloaded
from alexnet_tf.serving.metrics import Metrics

# The page loads nothing from other sites and cannot be framed.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
# Largest number of addresses tracked individually.
MOST_ADDRESSES = 10_000
# nginx's status for clients that closed the connection before the request was complete.
GONE = 499


class Middleware:
    """ASGI middleware: forwards to `app` what is allowed and within the limits of `load`.

    If `hosts` is set, other values of Host are refused, to prevent DNS rebinding. Requests that
    change state or are expensive are accepted from pages of this host or of `origins`, and from
    programs, which send no Origin.
    """

    def __init__(
        self,
        app: ASGIApp,
        load: Load,
        metrics: Metrics,
        hosts: tuple[str, ...] = (),
        origins: tuple[str, ...] = (),
    ):
        self._app, self._load, self._metrics = app, load, metrics
        self._hosts, self._origins = hosts, origins
        self._rate = _Rate(load.limits.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an HTTP request; forward any other scope unchecked."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 500

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        body = _Body(self._load, receive)
        try:
            self._check(scope)
            await self._app(scope, body.receive, send_safely)
        except ClientDisconnect:
            status = GONE  # nobody is left to receive a response
        except HTTPException as refusal:
            # The server reads and discards the rest of a short body: a client that is still sending
            # might miss the response otherwise.
            headers = dict(refusal.headers or {})
            if refusal.status_code in (408, 413):
                headers["Connection"] = "close"
            response = JSONResponse({"detail": refusal.detail}, refusal.status_code, headers)
            await response(scope, receive, send_safely)
        finally:
            self._load.bytes -= body.size
            self._metrics.count_request(scope, status, time.monotonic() - start)

    def _check(self, scope: Scope) -> None:
        """Raise HTTPException for a request that must be refused."""
        headers = Headers(scope=scope)
        check_host(headers, self._hosts)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        check_site(headers, self._origins)
        address = (scope.get("client") or ("",))[0]
        if not self._rate.allows(address):
            raise HTTPException(429, "too many requests from this address", AGAIN)
        if self._load.is_full():
            raise overloaded()
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length[:20]) > self._load.limits.bytes:
            raise _too_large(self._load.limits.bytes)


class _Rate:
    """Rate limiter per address: `rate` requests a second, and bursts of as many."""

    def __init__(self, rate: int):
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Count a request from `address`; return False if it exceeds the rate."""
        now = time.monotonic()
        left, before = self._left.get(address, (self._rate, now))
        left = min(self._rate, left + (now - before) * self._rate)
        if len(self._left) >= MOST_ADDRESSES:
            self._left.clear()
        self._left[address] = max(0.0, left - 1), now
        return left >= 1


class _Body:
    """The body of a request, limited in size and time; `size` of it has arrived."""

    def __init__(self, load: Load, receive: Receive):
        self._load, self._receive = load, receive
        self.size, self._end = 0, time.monotonic() + load.limits.seconds
        self._is_here = False

    async def receive(self) -> Message:
        """Receive the next part; HTTPException if the body is too large or too slow."""
        if self._is_here:  # the app is waiting for the client to disconnect
            return await self._receive()
        try:
            async with asyncio.timeout(self._end - time.monotonic()):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the request was not here in time") from error
        size = len(message.get("body", b""))
        if self.size + size > self._load.limits.bytes:
            raise _too_large(self._load.limits.bytes)
        self._load.take_bytes(size)
        self.size += size
        self._is_here = not message.get("more_body", False)
        return message


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"a request may have {most:,} bytes at most; send fewer pictures")
