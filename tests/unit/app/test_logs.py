"""The log file and its lines."""

import logging
import sys
from pathlib import Path

from kilonova.app.logs import LineFormatter, LogFile, quoted
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


def test_log_file__full__goes_on_in_a_new_one_and_keeps_so_many(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", maxBytes=100, backupCount=2, encoding="utf-8")
    for number in range(10):
        file.emit(logging.LogRecord("l", logging.INFO, "", 0, f"{number} {'x' * 60}", None, None))
    file.close()
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["log", "log.1", "log.2"]
    assert [[line[0] for line in path.read_text().splitlines()] for path in kept] == [
        ["8", "9"],
        ["6", "7"],
        ["4", "5"],
    ]


def test_quoted__anything__one_line_that_nobody_can_end() -> None:
    assert quoted("plain é") == '"plain é"'
    assert quoted('a"b\\c') == '"a\\"b\\\\c"'
    assert quoted("a\nb\x00") == '"a\\x0ab\\x00"'
