"""Conversations with QEMU: what is said at their beginning."""

import asyncio
import json
from pathlib import Path

import pytest

from kilonova.drivers.qemu.monitor import SOCKET, MonitorUnreachable, monitor_open

EVENT = {"event": "BLOCK_JOB_READY", "data": {}, "timestamp": {"seconds": 1, "microseconds": 0}}
GREETING = {"QMP": {"version": {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}}


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\r\n"


async def _qemu(directory: Path, *first: object) -> asyncio.Server:
    """Answers each conversation; the first words of one after another are `first`, and a greeting from then on."""
    words = iter(first)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_line(next(words, GREETING)))
        while said := await reader.read(65536):
            asked = json.loads(said)
            answer = {"status": "running"} if asked["execute"] == "query-status" else {}
            writer.write(_line({"return": answer, **({"id": asked["id"]} if "id" in asked else {})}))
        writer.close()

    return await asyncio.start_unix_server(talk, directory / SOCKET)


def test_monitor__an_event_of_the_conversation_before_comes_first__it_is_begun_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with await _qemu(tmp_path, EVENT, EVENT), monitor_open(tmp_path) as monitor:
            assert await monitor.status() == "running"

    asyncio.run(work())


def test_monitor__nobody_there__unreachable(tmp_path: Path) -> None:
    async def work() -> None:
        with pytest.raises(MonitorUnreachable, match="QEMU doesn't answer"):
            async with monitor_open(tmp_path):
                pass

    asyncio.run(work())
