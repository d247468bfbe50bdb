"""Kinds of fields that request bodies are made of, each with a sentence for what doesn't fit.

msgspec hands a value to `read` of the kind its Struct names (see `body.py`), so that a Struct of these is the whole schema;
`schema` says the same to others, as far as JSON schemas can.
"""

import unicodedata
from typing import ClassVar, Self

from typing_extensions import override

from kilonova.api.shapes import text, whole, words
from kilonova.kernel.schemas import Schema

INT_MAX = 2**31 - 1
"""Largest number that the database holds in an integer column."""


class Name(str):
    """1 to 255 printable characters, with none but visible ones at either end."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, pattern=r"^\S(.*\S)?$")

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or not 1 <= len(value) <= 255:
            raise ValueError("it must be a text of 1 to 255 characters")
        if value != value.strip() or any(unicodedata.category(letter)[0] == "C" for letter in value):
            raise ValueError("it may hold printable characters only, and no spaces around them")
        return cls(value)


class ZoneName(Name):
    """A `Name` without a colon, which parts a zone from a host."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, pattern=r"^[^\s:]([^:]*[^\s:])?$")

    @override
    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if isinstance(value, str) and ":" in value:
            raise ValueError("it may not hold a colon")
        return super().read(value)


class HostField(str):
    """1 to 255 characters that a host's name may hold."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, pattern="^[a-zA-Z0-9._-]+$")

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or not 1 <= len(value) <= 255:
            raise ValueError("it must be a text of 1 to 255 characters")
        if not all(letter.isascii() and (letter.isalnum() or letter in "-._") for letter in value):
            raise ValueError("it may hold letters, digits, dots, dashes and underscores only")
        return cls(value)


class Whole(int):
    """A whole number between `low` and `high`, also as text of digits."""

    schema: ClassVar[Schema] = whole(0, INT_MAX)
    low: ClassVar[int] = 0
    high: ClassVar[int] = INT_MAX

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        number = _whole(value)
        if number is None:
            raise ValueError("it must be a whole number")
        if not cls.low <= number <= cls.high:
            raise ValueError(f"it must be between {cls.low} and {cls.high}")
        return cls(number)


class Positive(Whole):
    """A whole number from 1 on."""

    schema: ClassVar[Schema] = whole(1, INT_MAX)
    low = 1


class QuotaValue(Whole):
    """A limit: a whole number, or -1 for none."""

    schema: ClassVar[Schema] = whole(-1, INT_MAX)
    low = -1


class Truth(int):
    """True or false, also as one of the words that OpenStack takes for them."""

    _words: ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("true", "1", "on", "yes", "y", "t"), True),
        **dict.fromkeys(("false", "0", "off", "no", "n", "f"), False),
    }

    schema: ClassVar[Schema] = words(True, False, *_words, *map(str.capitalize, _words))

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        said = value if isinstance(value, bool) else cls._words.get(str(value).lower())
        if said is None or isinstance(value, float):
            raise ValueError("it must be true or false")
        return cls(said)


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    return None
