"""HTTP with clients who are in no hurry: connections on which nothing happens are closed."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# As long may a request's headers take to be here, or the next request, or a client to read nothing.
SECONDS = 15


class Protocol(H11Protocol):
    """uvicorn's, but for connections on which no request has begun for `SECONDS`, or whose client
    has read nothing of an answer for as long: it would keep those for ever, and what waits in
    them."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to watch a new connection."""
        super().connection_made(transport)
        self._drained = 0
        self._watch_later()

    def resume_writing(self) -> None:
        """Count that the client has read most of what waited."""
        super().resume_writing()
        self._drained += 1

    def _watch_later(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self.loop.call_later(SECONDS, self._watch, self.cycle, unread, self._drained)

    def _watch(self, cycle: object, unread: int, drained: int) -> None:
        """Close a connection on which nothing has happened since all was as it is told."""
        if self not in self.connections:
            return
        if unread and (self.transport.get_write_buffer_size(), self._drained) == (unread, drained):
            self.transport.abort()
            return
        is_idle = self.cycle is cycle and (cycle is None or cycle.response_complete)
        if is_idle and not self.transport.get_write_buffer_size():
            self.transport.close()
            return
        self._watch_later()
