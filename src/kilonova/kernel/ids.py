"""Typed ids: one type per kind of thing, so that a host's name can't be passed for a server's id."""

import re
from typing import NewType

ServerId = NewType("ServerId", str)
"""A server's UUID, with dashes."""
OperationId = NewType("OperationId", str)
"""An operation's UUID, with dashes."""
CellId = NewType("CellId", str)
"""A cell's UUID, with dashes."""
HostName = NewType("HostName", str)
"""The name of a hypervisor host, unique in the cloud."""
ProjectId = NewType("ProjectId", str)
"""A project's id as the identity service writes it: 32 hex digits, mostly."""
UserId = NewType("UserId", str)
"""A user's id as the identity service writes it."""

CELL0 = CellId("00000000-0000-0000-0000-000000000000")
"""The cell without hosts, home of servers that never got one."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def is_uuid(text: object) -> bool:
    """Whether `text` is a UUID, with dashes or without."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def uuid_number(uuid: str) -> int:
    """A number of 48 bits that stands for `uuid` where old APIs want one; two UUIDs hardly ever share it."""
    return int(uuid.replace("-", "")[:12], 16)
