"""Sets of small numbers: the rows of a fleet that have something in common.

A set is a string of bits, kept as bytes where single bits change and as one long integer where sets are combined: Python
combines integers of a hundred thousand bits in about a microsecond.
"""

import re
from collections.abc import Iterator

_LOW = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
"""The bits that are set, by byte."""
_NOT_ZERO = re.compile(rb"[^\0]", re.DOTALL)
_FEW = 8
"""Where fewer rows are in a set they are found one by one."""


class Bits:
    """A set of rows that changes."""

    __slots__ = ("_bytes", "_mask")

    def __init__(self) -> None:
        """Begin with none."""
        self._bytes = bytearray()
        self._mask: int | None = 0

    def add(self, row: int) -> None:
        """Put a row in."""
        at = row >> 3
        if at >= len(self._bytes):
            self._bytes.extend(bytes(max(at + 1, len(self._bytes) * 2) - len(self._bytes)))
        self._bytes[at] |= 1 << (row & 7)
        self._mask = None

    def discard(self, row: int) -> None:
        """Take a row out, if it is in."""
        at = row >> 3
        if at < len(self._bytes) and self._bytes[at] >> (row & 7) & 1:
            self._bytes[at] &= ~(1 << (row & 7))
            self._mask = None

    @property
    def mask(self) -> int:
        """The set as an integer: bit n is set when row n is in."""
        if self._mask is None:
            self._mask = int.from_bytes(self._bytes, "little")
        return self._mask


def packed(mask: int) -> bytes:
    """The bits of a mask, eight a byte, the lowest first."""
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")


def rows_of(mask: int) -> Iterator[int]:
    """The rows in a mask, lowest first."""
    if mask.bit_count() < _FEW:
        while mask:
            low = mask & -mask
            yield low.bit_length() - 1
            mask ^= low
        return
    for found in _NOT_ZERO.finditer(packed(mask)):
        first = found.start() << 3
        for bit in _LOW[found.group()[0]]:
            yield first + bit
