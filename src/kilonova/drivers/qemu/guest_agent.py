"""The QEMU guest agent: a program inside the guest that does what is asked over a channel of its own.

Its answers come from inside the guest, so they are bounded in size and time and never trusted with more than yes or no.
Protocol: QEMU's "QEMU Guest Agent Protocol Reference".
"""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from kilonova.drivers.qemu.sockets import socket_connect

SOCKET = "agent.sock"
ANSWER_S = 2.0
"""How long an agent may take to say that it is there."""
WORK_S = 10.0
"""How long it may take to do what it was asked."""

_DELIMITER = b"\xff"
"""Before a request it makes the agent forget half a request; before an answer it marks where that begins."""
_ANSWER_BYTES = 64 * 1024


class AgentSilent(Exception):
    """No guest agent answers."""


class AgentRefused(Exception):
    """The guest agent could not do it; the argument is what it said."""


async def password_set(directory: Path, user: str, password: str, sync_id: int) -> None:
    """Set a user's password inside the guest in `directory`. `sync_id` marks this conversation: the agent repeats it.

    Raises:
        AgentSilent: no agent answers.
        AgentRefused: it can't.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(
            sock=await socket_connect(directory, SOCKET), limit=_ANSWER_BYTES
        )
    except OSError as error:
        raise AgentSilent from error
    try:
        await _synchronize(reader, writer, sync_id)
        encoded = base64.b64encode(password.encode()).decode()
        _send(writer, "guest-set-user-password", username=user, password=encoded, crypted=False)
        answer = await _answer(reader, WORK_S)
        if "error" in answer:
            raise AgentRefused(_told(answer["error"]))
    finally:
        writer.close()


async def _synchronize(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sync_id: int) -> None:
    """Find out that an agent listens, and read over what it answered to others before."""
    writer.write(_DELIMITER)
    _send(writer, "guest-sync-delimited", id=sync_id)
    try:
        async with asyncio.timeout(ANSWER_S):
            while True:
                await reader.readuntil(_DELIMITER)
                if (await _answer(reader, ANSWER_S)).get("return") == sync_id:
                    return
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError) as error:
        raise AgentSilent from error


def _send(writer: asyncio.StreamWriter, command: str, **arguments: object) -> None:
    writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")


async def _answer(reader: asyncio.StreamReader, timeout_s: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout_s):
            answer = json.loads(await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError, ValueError) as error:
        raise AgentSilent from error
    return answer if isinstance(answer, dict) else {}


def _told(error: object) -> str:
    text = str(error.get("desc", "")) if isinstance(error, dict) else ""
    return "".join(character for character in text if character.isprintable())[:200] or "it gave no reason"
