"""Consoles of guests whose agents are other processes: a question waits at the gateway until the host's agent fetches it.

So an agent listens on nothing, and what asks it is what it works for anyway. A question that nobody answers in time is dropped;
it costs its asker an answer and nobody else anything.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from kilonova.drivers.driver import Driver
from kilonova.kernel.errors import Conflict, KilonovaError
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.server import Server
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)

WAIT_S = 20.0
"""How long an agent waits for a question before it asks again."""
RETRY_S = 1.0
ANSWER_S = 5.0
"""How long an agent may take to answer."""


class HostSilent(Conflict):
    """Host {host} doesn't answer just now, so that the console of server {server_id} can't be read."""

    code = "host-silent"


class ConsoleQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked: the end of one guest's console."""

    id: str
    host: HostName
    server_id: ServerId
    lines: int | None


class ConsoleClient(Protocol):
    """How an agent fetches questions, and answers them. Raises `Unavailable` when the gateway can't be reached."""

    async def console_questions(self, agent: str, wait_s: float) -> list[ConsoleQuestion]:
        """Questions about the agent's hosts that it has not been given yet; waits up to `wait_s` seconds for the first."""

    async def console_answer(self, agent: str, question_id: str, text: str) -> None:
        """Answer one. Nobody waiting for it any more is fine."""


@dataclass
class _Open:
    question: ConsoleQuestion
    answer: "asyncio.Future[str]"
    given: bool = False


@dataclass
class _Desk:
    """The questions to one agent."""

    open: dict[str, _Open] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class ConsoleDesk:
    """Where questions wait. Implements `operations.consoles.Consoles` for its askers, and `ConsoleClient` for agents."""

    def __init__(self, runtime: Runtime, agent_of: Callable[[HostName], str]) -> None:
        """`agent_of` names the agent of a host."""
        self._runtime = runtime
        self._agent_of = agent_of
        self._desks: dict[str, _Desk] = {}

    async def output(self, server: Server, lines: int | None) -> str:
        """See `Consoles.output`. Raises `HostSilent`."""
        assert server.host is not None, "a console is a host's"
        question = ConsoleQuestion(id=self._runtime.uuid(), host=server.host, server_id=server.id, lines=lines)
        desk = self._desk(self._agent_of(server.host))
        opened = desk.open[question.id] = _Open(question, asyncio.get_running_loop().create_future())
        desk.news.set()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await opened.answer
        except TimeoutError:
            raise HostSilent(host=server.host, server_id=server.id) from None
        finally:
            del desk.open[question.id]

    async def console_questions(self, agent: str, wait_s: float) -> list[ConsoleQuestion]:
        """See `ConsoleClient.console_questions`."""
        desk = self._desk(agent)
        try:
            async with asyncio.timeout(wait_s):
                await desk.news.wait()
        except TimeoutError:
            return []
        desk.news.clear()
        fresh = [opened for opened in desk.open.values() if not opened.given]
        for opened in fresh:
            opened.given = True
        return [opened.question for opened in fresh]

    async def console_answer(self, agent: str, question_id: str, text: str) -> None:
        """See `ConsoleClient.console_answer`: an agent answers what it was asked, and nothing else."""
        opened = self._desk(agent).open.get(question_id)
        if opened is not None and not opened.answer.done():
            opened.answer.set_result(text)

    def _desk(self, agent: str) -> _Desk:
        return self._desks.setdefault(agent, _Desk())


class ConsoleAnswers:
    """The agent's side: fetches questions and answers them."""

    def __init__(self, agent: str, runtime: Runtime, driver: Driver, client: ConsoleClient) -> None:
        """Answer what `agent` is asked from what `driver` says."""
        self._agent = agent
        self._runtime = runtime
        self._driver = driver
        self._client = client

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                questions = await self._client.console_questions(self._agent, WAIT_S)
                await asyncio.gather(*(self._answer(question) for question in questions))
            except KilonovaError as error:
                log.warning("%s", error.message)
                await self._runtime.sleep(RETRY_S)

    async def _answer(self, question: ConsoleQuestion) -> None:
        text = await self._driver.console_output(question.host, question.server_id, question.lines)
        await self._client.console_answer(self._agent, question.id, text)
