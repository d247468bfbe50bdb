"""SQL functions that SQLite lacks and queries use: every connection to it gets them.

`kn_match(pattern, text)` is 1 where a regular expression is found somewhere in `text`, whatever the case of its letters: what
REGEXP is on MySQL with its usual collation, and what clients of the Compute API have come to expect of filters such as `name`.
Patterns are RE2's, matched in time linear to the text: a pattern that users send can't keep a thread busy. What RE2 leaves
out (back references, looking ahead or behind) is refused, like any pattern that can't be read.
"""

import sqlite3
from functools import lru_cache
from typing import Any

from kilonova.kernel.errors import Invalid

PATTERN_MAX = 1024
"""Most characters of a pattern."""
MEMORY_MAX = 1 << 20
"""Most bytes that one compiled pattern may take."""


class BadPattern(Invalid):
    """The regular expression '{pattern}' can't be used: {why}"""

    code = "bad-pattern"


def register(connection: sqlite3.Connection) -> None:
    """Give a connection its functions."""
    connection.create_function("kn_match", 2, _match, deterministic=True)


def check_pattern(pattern: str) -> None:
    """Raise `BadPattern` for a pattern that `kn_match` can't use: asked before a query runs, to be told to the user."""
    if len(pattern) > PATTERN_MAX:
        raise BadPattern(pattern=f"{pattern[:32]}...", why=f"it is longer than {PATTERN_MAX} characters")
    _compiled(pattern)


def _match(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import re2  # noqa: PLC0415 - only lists with such a filter need it

    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = MEMORY_MAX
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0] if error.args else "it can't be read"
        raise BadPattern(pattern=pattern, why=why.decode() if isinstance(why, bytes) else why) from None
