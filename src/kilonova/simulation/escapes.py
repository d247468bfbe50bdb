"""The seal around a simulation: code that reaches for the real machine is refused, and can't hide it."""

import asyncio
import contextvars
import random
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_FORBIDDEN = (
    (asyncio, "to_thread"),
    (random, "random"),
    (random, "randint"),
    (random, "choice"),
    (random, "shuffle"),
    (random, "uniform"),
    (secrets, "token_bytes"),
    (secrets, "token_hex"),
    (secrets, "token_urlsafe"),
    (secrets, "randbits"),
    (socket, "socket"),
    (socket, "getaddrinfo"),
    (threading.Thread, "start"),
    (time, "sleep"),
    (uuid, "uuid1"),
    (uuid, "uuid4"),
)


class Escape(BaseException):
    """Simulated code reached for the real machine: a thread, a socket, a subprocess, its clock or its randomness."""

    @classmethod
    def here(cls, *_: object, **__: object) -> NoReturn:
        """Stand in for something forbidden: say who asked."""
        frame = sys._getframe(1)  # noqa: SLF001 - the one way to the caller that costs nothing until it is used
        escape = cls(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
        seen = _SEEN.get()
        if seen is not None:
            seen.append(escape)
        raise escape


_SEEN: contextvars.ContextVar[list[Escape] | None] = contextvars.ContextVar("simulation_escapes", default=None)


@contextmanager
def sealed() -> Iterator[list[Escape]]:
    """Replace what is forbidden while a simulation runs; the list fills with every attempt, also those that were caught."""
    escapes: list[Escape] = []
    token = _SEEN.set(escapes)
    originals = [(owner, name, getattr(owner, name)) for owner, name in _FORBIDDEN]
    for owner, name, _ in originals:
        setattr(owner, name, Escape.here)
    try:
        yield escapes
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
        _SEEN.reset(token)
