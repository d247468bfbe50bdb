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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

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
        raise cls.of(sys._getframe(1))  # noqa: SLF001 - the one way to the caller that costs nothing until it is used

    @classmethod
    def of(cls, frame: FrameType) -> "Escape":
        """The escape of the code in `frame`, noted where escapes are."""
        escape = cls(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
        seen = _SEEN.get()
        if seen is not None:
            seen.append(escape)
        return escape


_SEEN: contextvars.ContextVar[list[Escape] | None] = contextvars.ContextVar("simulation_escapes", default=None)


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    """`original` for the threads beside the simulation, and an escape for the simulation itself."""

    def guard(*args: Any, **kwargs: Any) -> Any:
        if _SEEN.get() is None:
            return original(*args, **kwargs)
        raise Escape.of(sys._getframe(1))  # noqa: SLF001 - see `Escape.here`

    return guard


@contextmanager
def sealed(escapes: list[Escape] | None = None) -> Iterator[list[Escape]]:
    """Replace what is forbidden while a simulation runs; the list fills with every attempt, also those that were caught.

    A simulation that runs in pieces gives each piece the list of the first. Other threads go on as if nothing were.
    """
    escapes = [] if escapes is None else escapes
    token = _SEEN.set(escapes)
    originals = [(owner, name, getattr(owner, name)) for owner, name in _FORBIDDEN]
    for owner, name, original in originals:
        setattr(owner, name, _guarded(original))
    try:
        yield escapes
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
        _SEEN.reset(token)
