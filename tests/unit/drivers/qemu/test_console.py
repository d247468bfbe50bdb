"""The bounded console log."""

from pathlib import Path

from kilonova.drivers.qemu.console import FILE_BYTES, ConsoleLog


def test_console__much_output__keeps_the_end_in_bounded_space(tmp_path: Path) -> None:
    console = ConsoleLog(tmp_path)
    lines = [f"line {number:08}\n".encode() for number in range(200_000)]
    for start in range(0, len(lines), 1000):
        console.append(b"".join(lines[start : start + 1000]))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * FILE_BYTES
    kept = console.text(None)
    assert len(kept) > FILE_BYTES
    assert kept.endswith("line 00199999\n")
    assert console.text(2) == "line 00199998\nline 00199999\n"


def test_console__one_huge_piece__is_cut_and_not_lost(tmp_path: Path) -> None:
    console = ConsoleLog(tmp_path)
    console.append(b"a" * (3 * FILE_BYTES) + b"end")
    assert console.text(None).endswith("aend")


def test_console__another_one_on_the_same_directory__goes_on(tmp_path: Path) -> None:
    ConsoleLog(tmp_path).append(b"one\r\n")
    ConsoleLog(tmp_path).append(b"two \xff\r\n")
    assert ConsoleLog(tmp_path).text(None) == "one\ntwo \ufffd\n"


def test_console__nothing_printed__is_empty(tmp_path: Path) -> None:
    assert ConsoleLog(tmp_path).text(5) == ""
