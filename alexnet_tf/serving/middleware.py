"""Middleware: checks of host, origin, rate and body size, and security headers of responses."""

from __future__ import annotations

import asyncio
import re
import time
from ipaddress import IPv6Address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alexnet_tf.serving.limits import AGAIN, Load, Rate, overloaded
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
# nginx's status for clients that closed the connection before the request was complete.
GONE = 499
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# RFC 9110, section 7.2, and RFC 6454, section 7: Host, and Origin.
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[-a-z0-9._~!$&'()*+,;=%]*)(?::(\d{0,5}))?", re.I | re.A)
ORIGIN = re.compile(r"([a-z][-a-z0-9+.]*)://(.*)", re.I | re.A)
PORTS = {"http": 80, "https": 443}


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
        self._rate = Rate(load.limits.rate)

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
            answer = JSONResponse({"detail": refusal.detail}, refusal.status_code, headers)
            await answer(scope, receive, send_safely)
        finally:
            body.forget()
            self._metrics.count_request(scope, status, time.monotonic() - start)

    def _check(self, scope: Scope) -> None:
        """Raise HTTPException for a request that must be refused."""
        headers = Headers(scope=scope)
        name, port = _host(headers.get("host", ""))
        origin = _origin(headers.get("origin", "null"))
        if self._hosts and name not in self._hosts:
            raise HTTPException(421, f"this server answers as {', '.join(self._hosts)} alone")
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        if "origin" in headers:
            scheme, *asking = origin or ("",)
            own = [name, PORTS.get(scheme) if port is None else port]
            is_foreign = headers["origin"].lower() not in self._origins and asking != own
        else:
            is_foreign = headers.get("sec-fetch-site") in ("same-site", "cross-site")
        if is_foreign:
            raise HTTPException(403, "a page of another site may not ask this server")
        address = (scope.get("client") or ("",))[0]
        if not self._rate.allows(address):
            raise HTTPException(429, "too many requests from this address", AGAIN)
        if self._load.is_full():
            raise overloaded()
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length[:20]) > self._load.limits.bytes:
            raise too_large(self._load.limits.bytes)


class _Body:
    """The body of a request, limited in size and time."""

    def __init__(self, load: Load, receive: Receive):
        self._load, self._receive = load, receive
        self._size, self._end = 0, time.monotonic() + load.limits.seconds
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
        if self._size + size > self._load.limits.bytes:
            raise too_large(self._load.limits.bytes)
        self._load.take_bytes(size)
        self._size += size
        self._is_here = not message.get("more_body", False)
        return message

    def forget(self) -> None:
        """Release the body's bytes from the load."""
        self._load.bytes -= self._size


def too_large(most: int) -> HTTPException:
    """Return the exception for a request of more than `most` bytes."""
    return HTTPException(413, f"a request may have {most:,} bytes at most; send fewer pictures")


def _host(text: str) -> tuple[str, int | None]:
    """Parse a Host into its lower-case name and its port; HTTPException 400 if it is invalid."""
    match: Any = HOST.fullmatch(text)
    try:
        name, port = match[1].lower(), int(match[2]) if match[2] else None
        if name.startswith("["):
            name = str(IPv6Address(name[1:-1]))
        if port is None or port < 1 << 16:
            return name, port
    except (TypeError, ValueError):
        pass
    raise HTTPException(400, "the header Host, or Origin, names no host")


def _origin(text: str) -> tuple[str, str, int | None] | None:
    """Parse an Origin into scheme, name and port; None for an opaque origin.

    Raises HTTPException 400 if it is invalid.
    """
    if text == "null":
        return None
    match: Any = ORIGIN.fullmatch(text)
    name, port = _host(match[2] if match else " ")
    scheme = match[1].lower()
    return scheme, name, PORTS.get(scheme) if port is None else port
