"""Pictures behind URLs, fetched in bounded time and memory, whatever a server does."""

import random
import time
from collections import Counter
from ssl import SSLCertVerificationError
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse

from alexnet_tf.system import buckets, http, signals

# Seconds: the limit for a file, all attempts together; the silence after which an attempt fails;
# the wait before the second attempt, which doubles for each further one, within a half more or
# less.
MOST_SECONDS, SILENCE, FIRST_WAIT = 60, 10, 0.25
ATTEMPTS = 6
# The largest response in bytes: more than any photo, and little enough for all threads at once.
MOST_BYTES = 64 << 20
# After this many failures in a row a host gets one attempt per file, until it responds again.
PATIENCE = 20
# HTTP statuses (RFC 9110, section 15; RFC 6585) worth another attempt, and of a missing file.
PASSING, GONE = (408, 425, 429, 500, 502, 503, 504), (404, 410)

_failures: Counter[str] = Counter()


class _Passing(Exception):
    """A transient failure, with its reason; `wait` is the server's Retry-After in seconds."""

    def __init__(self, reason: str, wait: float = 0):
        super().__init__(reason)
        self.wait = wait


class _TooLarge(OSError):
    def __init__(self) -> None:
        super().__init__(f"it has more than {MOST_BYTES:,} bytes")


def fetch(url: str) -> bytes:
    """Return the bytes of the file at `url`, http, https, or in a bucket; transient failures are
    retried. Raises OSError, whose message is the reason, FileNotFoundError if the server has no
    such file, and Stopped if the program is asked to end."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OSError(f"it is no valid address ({error})") from error
    get = _get if parts.scheme.lower() in http.SCHEMES else _get_from_bucket
    attempts = ATTEMPTS if _failures[parts.netloc] < PATIENCE else 1
    end = time.monotonic() + (MOST_SECONDS if attempts > 1 else SILENCE)
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
    try:
        with http.get(url, SILENCE, end) as response:
            return _read(response)
    except http.StatusError as error:
        if error.code in GONE:
            raise FileNotFoundError from error
        reason = f"its server answers {error}"
        if error.code in PASSING:
            raise _Passing(reason, error.wait) from error
        raise OSError(reason) from error
    except (_TooLarge, http.RedirectError, SSLCertVerificationError):
        raise
    except ValueError as error:
        raise OSError(f"it is no valid address ({error})") from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        if isinstance(error, TimeoutError):
            reason = f"nothing comes for {SILENCE} seconds"
        if time.monotonic() > end:
            reason = f"it takes more than {MOST_SECONDS} seconds"
        raise _Passing(reason) from error


def _read(response: BaseHTTPResponse) -> bytes:
    """Read the body of a response, within the size limit."""
    if (response.length_remaining or 0) > MOST_BYTES:
        raise _TooLarge
    content = response.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _TooLarge
    if response.length_remaining:
        raise _Passing(f"it breaks off {response.length_remaining:,} bytes before its end")
    return content


def _get_from_bucket(url: str, end: float) -> bytes:
    """Try once to read `url` from its bucket, until the monotonic clock reaches `end`."""
    try:
        content = buckets.read(url, MOST_BYTES + 1, end)
    except (FileNotFoundError, buckets.Refused):
        raise
    except OSError as error:
        raise _Passing(str(error)) from error
    if len(content) > MOST_BYTES:
        raise _TooLarge
    return content
