"""Moments that users name: as RFC 3339 in JSON, as the time of a zone in a form."""

import functools
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?", re.ASCII)

YEARS_AHEAD = 10
LONGEST = timedelta(days=365 * YEARS_AHEAD)


def now() -> datetime:
    """Return the time, by the clock of this process, which is the one that counts for all that users see."""
    return datetime.now(UTC)


def _parsed(value: object) -> datetime:
    text = value.upper() if isinstance(value, str) else ""
    try:
        if not _RFC_3339.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("A time is as in RFC 3339, with its zone, such as 2030-01-31T09:00:00+01:00.") from None


def ahead(moment: datetime) -> datetime:
    """Return the moment, or raise ValueError: it is in the past, or too far away."""
    if moment <= now():
        raise ValueError("This time is in the past.")
    if moment - now() > LONGEST:
        raise ValueError(f"This time is more than {YEARS_AHEAD} years ahead.")
    return moment


Moment = Annotated[datetime, BeforeValidator(_parsed)]
"""A moment in JSON, of which UTC is kept."""


def shown(moment: datetime) -> str:
    """Return a moment as JSON has it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def of_zone(local: str, zone: str) -> datetime:
    """Return the moment that a form names. One that a clock shows twice, when summer ends, is the first of the two.

    Raises ValueError: it is no time, there is no such zone, or no clock there ever shows it.
    """
    if not _LOCAL.fullmatch(local.strip()):
        raise ValueError("A time is a date and a time of day, such as 2030-01-31T09:00.")
    try:
        named = datetime.fromisoformat(local.strip()).replace(tzinfo=zoneinfo.ZoneInfo(known_zone(zone)))
        moment = named.astimezone(UTC)
        if moment.astimezone(named.tzinfo).replace(tzinfo=None) != named.replace(tzinfo=None):
            raise ValueError("There is no such time: clocks are set forward then.")
    except OverflowError:
        raise ValueError("This time is too far away.") from None
    return moment


def known_zone(name: str) -> str:
    """Return the name of a time zone, or raise ValueError: there is none of this name."""
    if name.strip() not in zones():
        raise ValueError("A time zone is a name such as UTC or Europe/Berlin.")
    return name.strip()


@functools.cache
def zones() -> frozenset[str]:
    """Return the names of the time zones."""
    return frozenset(zoneinfo.available_timezones())
