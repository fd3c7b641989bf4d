"""The checks of a request, one after the other, and the count of its response."""

from __future__ import annotations

import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alexnet_tf.serving.limits import AGAIN, Load, overloaded
from alexnet_tf.serving.metrics import Metrics
from alexnet_tf.serving.middleware.body import Body, too_large
from alexnet_tf.serving.middleware.headers import add_headers
from alexnet_tf.serving.middleware.host import check_host, check_site
from alexnet_tf.serving.middleware.rate import Rate

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
                add_headers(message)
            await send(message)

        body = Body(self._load, receive)
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
            raise too_large(self._load.limits.bytes)
