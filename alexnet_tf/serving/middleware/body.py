"""How large the body of a request may be, and how long it may take."""

from __future__ import annotations

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from alexnet_tf.serving.limits import Load


class Body:
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
