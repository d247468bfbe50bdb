"""Looking into an image's content before it counts, with the inspectors of oslo.utils (OSSA-2024-001 and its kin)."""

from typing import TYPE_CHECKING

from kilonova.kernel.errors import UnsupportedMedia

if TYPE_CHECKING:
    from oslo_utils.imageutils.format_inspector import FileInspector

_FOUND = {
    # A partition table belongs to a raw disk; a Linux kernel begins with a boot sector that looks like one.
    "raw": frozenset({"raw", "gpt"}),
    "qcow2": frozenset({"qcow2"}),
    "aki": frozenset({"raw", "gpt"}),
    "ari": frozenset({"raw", "gpt"}),
}
"""By declared format: what the inspectors may find."""

_PADDING = 4096
"""Zeros fed after the end, so that a header cut short is recognized for what it is."""


class UnsafeContent(UnsupportedMedia):
    """The content is refused: {reason}."""

    code = "unsafe-content"


class Inspection:
    """Watches a content go by and judges it at the end."""

    def __init__(self, disk_format: str) -> None:
        """`disk_format` is what the image declares."""
        from oslo_utils.imageutils.format_inspector import ALL_FORMATS  # noqa: PLC0415 - 0.1 s, for uploads only

        self._declared = disk_format
        self._inspectors: list[FileInspector] = [inspector() for inspector in ALL_FORMATS.values()]

    def eat(self, piece: bytes) -> None:
        """Look at the next piece. An inspector that stumbles has not found its format."""
        for inspector in tuple(self._inspectors):
            try:
                inspector.eat_chunk(piece)
            except Exception as error:
                if str(inspector) == self._declared:
                    raise UnsafeContent(reason=f"it is no {self._declared} image: {error}") from error
                self._inspectors.remove(inspector)

    def virtual_size(self) -> int:
        """The size of the disk that a guest would see, in bytes. Raises `UnsafeContent`."""
        size = next(inspector.actual_size for inspector in self._inspectors if str(inspector) == "raw")
        self.eat(bytes(_PADDING))
        for inspector in self._inspectors:
            inspector.finish()
        found = [inspector for inspector in self._inspectors if str(inspector) != "raw" and inspector.format_match]
        names = sorted(str(inspector) for inspector in found) or ["raw"]
        if not set(names) <= _FOUND[self._declared]:
            raise UnsafeContent(reason=f"it is declared as {self._declared}, but looks like {' and '.join(names)}")
        for inspector in found:
            self._check(inspector)
        return found[0].virtual_size if names == ["qcow2"] else size

    def _check(self, inspector: "FileInspector") -> None:
        from oslo_utils.imageutils.format_inspector import ImageFormatError, SafetyCheckFailed  # noqa: PLC0415

        if self._declared in {"aki", "ari"}:
            return
        try:
            inspector.safety_check()
        except SafetyCheckFailed as error:
            reasons = "; ".join(str(failure) for failure in error.failures.values())
            raise UnsafeContent(reason=reasons) from error
        except ImageFormatError as error:
            raise UnsafeContent(reason=str(error)) from error
