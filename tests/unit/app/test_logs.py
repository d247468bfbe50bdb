"""The log file's lines."""

import logging
import sys

from kilonova.app.logs import LineFormatter, quoted
from kilonova.web import request_ids


def record(message: str, *args: object, exc_info: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("kilonova.test", logging.INFO, "file", 1, message, args, None)
    if exc_info:
        try:
            int("inner")
        except ValueError:
            made.exc_info = sys.exc_info()
    made.created, made.msecs = 0.0, 7.0
    return made


def test_format__event__one_line_with_the_request_id() -> None:
    token = request_ids.current.set("req-1")
    line = LineFormatter().format(record("took %d", 3))
    request_ids.current.reset(token)
    assert line == 'time=1970-01-01T00:00:00.007Z level=info logger=kilonova.test request=req-1 message="took 3"'


def test_format__line_breaks_in_a_message__cannot_forge_a_line() -> None:
    line = LineFormatter().format(record("%s", 'x"\nlevel=error \x1b[31m'))
    assert "\n" not in line
    assert quoted('a"\n') == '"a\\"\\x0a"'


def test_format__error__traceback_indented_below() -> None:
    head, *rest = LineFormatter().format(record("failed", exc_info=True)).splitlines()
    assert head.endswith('message="failed"')
    assert rest[-1] == "    ValueError: invalid literal for int() with base 10: 'inner'"
    assert all(line.startswith("    ") for line in rest)
