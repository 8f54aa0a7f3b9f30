"""What is a host, and which are trusted."""

import ipaddress
import re
from collections.abc import Iterable

# With an underscore, because names of containers have it.
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?", re.ASCII | re.IGNORECASE)


def host_name(host: str) -> str | None:
    """Return the name in a host with or without a port, in lower case, or None if this is no host."""
    match = _HOST.fullmatch(host)
    if not match or not 0 < int(match[2] or 80) < 65536:
        return None
    name = match[1].lower()
    if name.startswith("["):
        try:
            ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            return None
    return name


def is_trusted(name: str, trusted: Iterable[str]) -> bool:
    """Return whether a name is one of these, or below one that has a dot in front."""
    return any(name == each or (each.startswith(".") and name.endswith(each)) for each in trusted)


def split_hosts(value: object) -> object:
    """Split a setting at its commas.

    Raises:
        ValueError: a part is no name or address.

    """
    if not isinstance(value, str):
        return value
    hosts = [host.strip().lower() for host in value.split(",") if host.strip()]
    for host in hosts:
        name = host.removeprefix(".")
        if host_name(name) != name:
            raise ValueError(f"{host!r} is no host without a port; several are separated by commas")
    return hosts
