"""What new servers and their guests are called."""

import re
import unicodedata

HOSTNAME_MAX = 63

_BREAKS = re.compile(r"[ _.]")
_FOREIGN = re.compile(r"[^a-z0-9-]")


def numbered(name: str, index: int, count: int) -> str:
    """The name of the server at `index`, from 0, of `count` made together: `name-1` and so on, alone just `name`."""
    return name if count == 1 else f"{name}-{index + 1}"


def guest_hostname(name: str, server_id: str, suffix: str = "") -> str:
    """The hostname that follows from a server's name: what of it a hostname may hold, or `server-ID` when that is nothing.

    `suffix`, e.g. `-2`, is kept whole when the name is too long.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    allowed = _FOREIGN.sub("", _BREAKS.sub("-", plain).lower())
    bare = allowed.strip("-")[: HOSTNAME_MAX - len(suffix)].rstrip("-")
    return bare + suffix if bare else f"server-{server_id}"
