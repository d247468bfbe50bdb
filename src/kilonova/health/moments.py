"""Moments and durations as people write them and as they are shown to people. Pure; all times are UTC."""

import re
from datetime import UTC, datetime

from kilonova.kernel.errors import Invalid

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class BadMoment(Invalid):
    """{text} is no moment: write 2026-11-25, 2026-11-25T12:00:00Z or seconds since the epoch."""

    code = "bad-moment"


class BadDuration(Invalid):
    """{text} is no duration: write a number with s, m, h, d or w behind it, such as 4h."""

    code = "bad-duration"


def moment(text: str) -> float:
    """Seconds since the epoch. Without an offset UTC is meant; a date is its beginning. Raises `BadMoment`."""
    if re.fullmatch(r"\d{6,12}(\.\d+)?", text):
        return float(text)
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())  # Gerrit writes nine decimals
    try:
        found = datetime.fromisoformat(cut)
    except ValueError as error:
        raise BadMoment(text=repr(text)) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def shown(at: float | None) -> str:
    """A moment for people, to the minute."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def stamp(at: float) -> str:
    """A moment for programs, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(text: str) -> float:
    """Seconds. Raises `BadDuration`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if found is None:
        raise BadDuration(text=repr(text))
    return float(found[1]) * UNITS_S[found[2]]


def length(seconds: float | None) -> str:
    """A duration for people: its two largest units."""
    if seconds is None:
        return "-"
    left, parts = round(seconds), []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, UNITS_S[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
