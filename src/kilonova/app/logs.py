"""The log file: one line for each event, `key=value`, with the id of the request that caused it."""

import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from typing_extensions import override

from kilonova.app.config import Log
from kilonova.web import request_ids

FILE = "kilonova.log"


class LineFormatter(logging.Formatter):
    """Writes `time=… level=… logger=… request=… message="…"`; a traceback follows, indented, on lines of its own."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
    converter = staticmethod(time.gmtime)

    @override
    def format(self, record: logging.LogRecord) -> str:
        """One event as a line."""
        head = (
            f"time={self.formatTime(record)} level={record.levelname.lower()} logger={record.name} "
            f"request={request_ids.current.get()} message={quoted(record.getMessage())}"
        )
        if record.exc_info:
            head += "\n    " + self.formatException(record.exc_info).replace("\n", "\n    ")
        return head


class LogFile(RotatingFileHandler):
    """Goes on in a new file once this one is full; looks at its size only, where its base formats every event twice."""

    @override
    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file has reached its size."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


def quoted(text: str) -> str:
    """`text` on one line between quotation marks, so that nobody's input can forge a line."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"')
    if safe.isprintable():
        return f'"{safe}"'
    return '"' + "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in safe) + '"'


def start_logging(folder: Path, config: Log, name: str = FILE) -> Path:
    """Send what is logged to the rotating file `name` in `folder`; the file."""
    # What no line says is not found out for each (logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    file = folder / name
    handler = LogFile(file, maxBytes=config.max_bytes, backupCount=config.backups, encoding="utf-8")
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.level.upper())
    for noisy in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return file
