"""The end of a guest's serial console, on disk, in bounded space.

QEMU keeps the newest output in a ring of its own memory, bounded whether or not Kilonova runs. It is fetched from there into
two files of the guest's directory, which take turns: the older one gives way when the newer is full.
"""

from pathlib import Path

FILE_BYTES = 512 * 1024


class ConsoleLog:
    """The kept console of one guest: at most twice `FILE_BYTES`, never less than the newest `FILE_BYTES`."""

    def __init__(self, directory: Path) -> None:
        """Keep it in `directory`."""
        self._newer = directory / "console.log"
        self._older = directory / "console.log.1"

    def append(self, output: bytes) -> None:
        """Add output at the end."""
        for start in range(0, len(output), FILE_BYTES):
            self._append_piece(output[start : start + FILE_BYTES])

    def _append_piece(self, piece: bytes) -> None:
        if self._newer.exists() and self._newer.stat().st_size + len(piece) > FILE_BYTES:
            self._newer.replace(self._older)
        with self._newer.open("ab") as file:
            file.write(piece)

    def kept(self) -> bytes:
        """All that is kept."""
        return b"".join(path.read_bytes() for path in (self._older, self._newer) if path.exists())

    def renew(self, output: bytes) -> None:
        """Keep this instead of what is kept."""
        for path in (self._older, self._newer):
            path.unlink(missing_ok=True)
        self.append(output)

    def text(self, lines: int | None) -> str:
        """What is kept, or its last `lines` lines. Bytes that aren't UTF-8 show as replacement characters."""
        text = self.kept().decode("utf-8", errors="replace").replace("\r\n", "\n")
        if lines is None:
            return text
        return "".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else ""
