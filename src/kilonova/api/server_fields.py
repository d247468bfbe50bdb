"""Kinds of fields that bodies about servers are made of."""

import base64
import binascii
import ipaddress
import re
from typing import Annotated, ClassVar, Literal, Self

import msgspec

from kilonova.api.shapes import TEXT, either, text
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.schemas import Schema

DiskConfig = Literal["AUTO", "MANUAL"]
MetadataKey = Annotated[str, msgspec.Meta(pattern=r"\A[a-zA-Z0-9\-_:. ]{1,255}\Z")]
MetadataValue = Annotated[str, msgspec.Meta(max_length=255)]
Metadata = dict[MetadataKey, MetadataValue]
Tag = Annotated[str, msgspec.Meta(pattern=r"\A[^,/]{1,60}\Z")]
"""1 to 60 characters without comma and slash."""
Tags = Annotated[list[Tag], msgspec.Meta(max_length=50)]
DeviceTag = Annotated[str, msgspec.Meta(pattern=r"\A[^,/]{1,60}\Z")]
TrustedCertificates = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1, max_length=50)
]

USER_DATA_MAX = 65535
"""Longest user data, in characters of base64."""
DESCRIPTION_MAX = 255
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")


class Uuid(str):
    """A UUID, with dashes or without."""

    __slots__ = ()
    schema: ClassVar[Schema] = {"type": "string", "format": "uuid"}

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or not is_uuid(value):
            raise ValueError(f"{str(value)[:100]!r} is not a 'uuid'")
        return cls(value)


class ImageRef(str):
    """The id of an image, or a link that ends with it; empty for none."""

    __slots__ = ()
    schema: ClassVar[Schema] = TEXT

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        identifier = value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value
        return cls("" if identifier == "" else Uuid.read(identifier))


class FlavorRef(str):
    """The id of a flavor, or a link that ends with it."""

    __slots__ = ()
    schema: ClassVar[Schema] = either(text(2048), {"type": "integer"})

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not 1 <= len(text) <= 2048:
            raise ValueError("it must be the id of a flavor")
        return cls(text.rstrip("/").rpartition("/")[2])


class IPv4(str):
    """An IPv4 address."""

    __slots__ = ()
    schema: ClassVar[Schema] = {"type": "string", "format": "ipv4"}

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        return cls(_address(value, 4))


class IPv6(str):
    """An IPv6 address."""

    __slots__ = ()
    schema: ClassVar[Schema] = {"type": "string", "format": "ipv6"}

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        return cls(_address(value, 6))


class AnyIp(str):
    """An IPv4 or IPv6 address."""

    __slots__ = ()
    schema: ClassVar[Schema] = either(IPv4.schema, IPv6.schema)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        return cls(_address(value, None))


class UserData(str):
    """Base64 of what the guest is given, as it came."""

    __slots__ = ()
    schema: ClassVar[Schema] = {"type": "string", "format": "base64", "maxLength": USER_DATA_MAX}

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or len(value) > USER_DATA_MAX:
            raise ValueError(f"it must be base64 of at most {USER_DATA_MAX} characters")
        decoded(value)
        return cls(value)


class Description(str):
    """At most 255 characters, printable but for what breaks lines."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(DESCRIPTION_MAX, shortest=0)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or len(value) > DESCRIPTION_MAX:
            raise ValueError(f"it must be a text of at most {DESCRIPTION_MAX} characters")
        if any(not letter.isprintable() and letter not in "\n\r\t" for letter in value):
            raise ValueError("it may hold printable characters only")
        return cls(value)


class GuestHostname(str):
    """What a guest is called: labels of letters, digits and dashes, with dots between them from 2.94 on."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, pattern=f"^{_HOSTNAME.pattern}$")

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or len(value) > 255 or not _HOSTNAME.fullmatch(value):
            raise ValueError("it must be a hostname: letters, digits and dashes, each part of at most 63 characters")
        return cls(value)


def decoded(text: str) -> bytes:
    """The content of base64, with line breaks in it or without. Raises ValueError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise ValueError("it must be base64") from error


def _address(value: object, version: int | None) -> str:
    try:
        address = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None or (version is not None and address.version != version):
        raise ValueError(f"it must be an IP{'' if version is None else f'v{version}'} address")
    return str(address)
