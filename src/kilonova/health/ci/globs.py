"""Globs of paths and names: `*` stops at a slash, `**` doesn't, `?` is one character. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/?|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(piece) or re.escape(piece) for piece in pieces))


def matches(pattern: str, name: str) -> bool:
    """Whether the whole of `name` fits."""
    return _compiled(pattern).fullmatch(name) is not None


def any_matches(patterns: Iterable[str], name: str) -> bool:
    """Whether `name` fits one of several."""
    return any(matches(pattern, name) for pattern in patterns)
