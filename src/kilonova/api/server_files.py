"""Files injected into new servers, until microversion 2.56 (API reference, "Create server", `personality`)."""

from collections.abc import Mapping, Sequence

from kilonova.api.server_body import FileItem
from kilonova.api.server_fields import decoded
from kilonova.kernel.errors import Invalid, OverLimit


class TooManyFiles(OverLimit):
    """Personality file limit exceeded: at most {limit} files are taken."""

    code = "too-many-files"


class FileTooLong(OverLimit):
    """Personality file {what} exceeds maximum {limit}"""

    code = "file-too-long"


def files_of(items: Sequence[FileItem], limits: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Path and base64 content of each file. Raises `Invalid`, `OverLimit`."""
    if 0 <= limits["injected_files"] < len(items):
        raise TooManyFiles(limit=limits["injected_files"])
    return tuple(_file(item, limits) for item in items)


def _file(item: FileItem, limits: Mapping[str, int]) -> tuple[str, str]:
    try:
        content = decoded(item.contents)
    except ValueError as error:
        raise Invalid(reason=f"Personality content for {item.path[:100]} cannot be decoded") from error
    for what, length in (("path", len(item.path.encode())), ("content", len(content))):
        limit = limits[f"injected_file_{what}_bytes"]
        if 0 <= limit < length:
            raise FileTooLong(what=what, limit=limit)
    return item.path, item.contents
