"""HTTP with clients who are in no hurry: connections that ask nothing are closed."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# As long may a request's headers take to be here, or the next request.
SECONDS = 15


class Protocol(H11Protocol):
    """uvicorn's, but for connections on which no request has begun for `SECONDS`: it would keep
    those open for ever that have sent half of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to watch a new connection."""
        super().connection_made(transport)
        self.loop.call_later(SECONDS, self._watch, self.cycle)

    def _watch(self, before: object) -> None:
        """Close a connection whose latest request is answered and is the one of `before`."""
        if self.transport.is_closing():
            return
        if self.cycle is before and (before is None or before.response_complete):
            self.transport.close()
        else:
            self.loop.call_later(SECONDS, self._watch, self.cycle)
