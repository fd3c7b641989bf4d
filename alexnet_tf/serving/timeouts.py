"""Timeouts of HTTP connections, against slow and idle clients."""

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# Time limit, in seconds, for receiving a request's headers, for the next request to begin, and for
# a client that reads nothing.
SECONDS = 15


class Protocol(H11Protocol):
    """uvicorn's H11Protocol, which closes a connection if for `SECONDS` no request begins, or the
    client reads nothing of a response; uvicorn would keep both for ever."""

    def connection_made(self, transport: Any) -> None:
        """Start watching a new connection."""
        super().connection_made(transport)
        self._drained = 0
        self._watch_later()

    def resume_writing(self) -> None:
        """Record that the client has read most of the buffered data."""
        super().resume_writing()
        self._drained += 1

    def _watch_later(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self.loop.call_later(SECONDS, self._watch, self.cycle, unread, self._drained)

    def _watch(self, cycle: object, unread: int, drained: int) -> None:
        """Close the connection if nothing has changed since the given state."""
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
