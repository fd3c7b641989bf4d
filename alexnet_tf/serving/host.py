"""Which host names the server accepts, and which sites' pages may ask it.

starlette's TrustedHostMiddleware checks nothing where any host is allowed, reads no IPv6 address
before its version 1, and knows no Origin.
"""

import re
from collections.abc import Collection
from ipaddress import IPv6Address
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# RFC 9110, section 7.2, and RFC 6454, section 7: Host, and Origin.
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[-a-z0-9._~!$&'()*+,;=%]*)(?::(\d{0,5}))?", re.I | re.A)
ORIGIN = re.compile(r"([a-z][-a-z0-9+.]*)://(.*)", re.I | re.A)
PORTS = {"http": 80, "https": 443}


def check_host(headers: Headers, hosts: Collection[str]) -> None:
    """Raise HTTPException unless Host, and Origin, are valid and Host is one of `hosts`, if any."""
    name, _ = _host(headers.get("host", ""))
    _origin(headers.get("origin", "null"))
    if hosts and name not in hosts:
        raise HTTPException(421, f"this server accepts the host names {', '.join(hosts)}")


def check_site(headers: Headers, origins: Collection[str]) -> None:
    """Raise HTTPException for a page of a site that is neither this server's nor in `origins`;
    programs, which send no Origin, are let pass."""
    if "origin" in headers:
        name, port = _host(headers.get("host", ""))
        scheme, *asking = _origin(headers["origin"]) or ("",)
        own = [name, PORTS.get(scheme) if port is None else port]
        is_foreign = headers["origin"].lower() not in origins and asking != own
    else:
        is_foreign = headers.get("sec-fetch-site") in ("same-site", "cross-site")
    if is_foreign:
        raise HTTPException(403, "a page of another site may not ask this server")


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
    """Parse an Origin into scheme, name and port; None for an opaque one, HTTPException 400 for an
    invalid one."""
    if text == "null":
        return None
    match: Any = ORIGIN.fullmatch(text)
    name, port = _host(match[2] if match else " ")
    scheme = match[1].lower()
    return scheme, name, PORTS.get(scheme) if port is None else port
