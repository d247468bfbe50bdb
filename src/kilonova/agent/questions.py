"""Questions to agents that are other processes: each waits at the gateway until the host's agent fetches it.

So an agent listens on nothing, and what asks it is what it works for anyway. A question that nobody answers in time is dropped;
it costs its asker an answer and nobody else anything.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from kilonova.drivers.driver import Driver, ImageSource
from kilonova.kernel.errors import Conflict, KilonovaError
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)

WAIT_S = 20.0
"""How long an agent waits for a question before it asks again."""
RETRY_S = 1.0
ANSWER_S = 10.0
"""How long an agent may take to answer."""
AGAIN_S = 1.0
"""When a question is given once more that has no answer: whoever fetched it may have lost it. Answering twice does no harm."""
FETCH_S = 3600.0
"""How long it may take to fetch an image."""


class HostSilent(Conflict):
    """Host {host} doesn't answer just now, so that nothing can be said of {what}."""

    code = "host-silent"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked: the end of one guest's console, how a guest does, or to fetch an image."""

    id: str
    host: HostName
    about: Literal["console", "diagnostics", "image"] = "console"
    server_id: ServerId = ServerId("")
    lines: int | None = None
    image: GuestImage | None = None


class QuestionClient(Protocol):
    """How an agent fetches questions, and answers them. Raises `Unavailable` when the gateway can't be reached."""

    async def questions(self, agent: str, wait_s: float) -> list[Question]:
        """Questions about the agent's hosts that it has not been given yet; waits up to `wait_s` seconds for the first."""

    async def answer_question(self, agent: str, question_id: str, text: str) -> None:
        """Answer one. Nobody waiting for it any more is fine."""


@dataclass
class _Open:
    question: Question
    answer: "asyncio.Future[str]"
    given: bool = False


@dataclass
class _Desk:
    """The questions to one agent."""

    open: dict[str, _Open] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class QuestionDesk:
    """Where questions wait. Implements `HostQuestions` for its askers, and `QuestionClient` for agents."""

    def __init__(self, runtime: Runtime, agent_of: Callable[[HostName], str]) -> None:
        """`agent_of` names the agent of a host."""
        self._runtime = runtime
        self._agent_of = agent_of
        self._desks: dict[str, _Desk] = {}

    async def output(self, server: Server, lines: int | None) -> str:
        """See `HostQuestions.output`. Raises `HostSilent`."""
        assert server.host is not None, "a console is a host's"
        question = Question(id=self._runtime.uuid(), host=server.host, server_id=server.id, lines=lines)
        return await self._ask(question, f"the console of server {server.id}", ANSWER_S)

    async def diagnostics(self, server: Server) -> Diagnostics:
        """See `HostQuestions.diagnostics`. Raises `HostSilent`, also where the host can't tell."""
        assert server.host is not None, "a guest is a host's"
        question = Question(id=self._runtime.uuid(), host=server.host, about="diagnostics", server_id=server.id)
        told = await self._ask(question, f"the guest of server {server.id}", ANSWER_S)
        return msgspec.json.decode(told, type=Diagnostics)

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        """See `HostQuestions.image_fetch`. Raises `HostSilent`, also where it can't be had."""
        question = Question(id=self._runtime.uuid(), host=host, about="image", image=image)
        await self._ask(question, f"image {image.id}", FETCH_S)

    async def _ask(self, question: Question, what: str, within_s: float) -> str:
        desk = self._desk(self._agent_of(question.host))
        opened = desk.open[question.id] = _Open(question, asyncio.get_running_loop().create_future())
        desk.news.set()
        try:
            async with asyncio.timeout(within_s):
                while question.image is None:
                    await asyncio.wait([opened.answer], timeout=AGAIN_S)
                    if opened.answer.done():
                        break
                    opened.given = False
                    desk.news.set()
                return await opened.answer
        except TimeoutError:
            raise HostSilent(host=question.host, what=what) from None
        finally:
            del desk.open[question.id]

    async def questions(self, agent: str, wait_s: float) -> list[Question]:
        """See `QuestionClient.questions`."""
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

    async def answer_question(self, agent: str, question_id: str, text: str) -> None:
        """See `QuestionClient.answer_question`: an agent answers what it was asked, and nothing else."""
        opened = self._desk(agent).open.get(question_id)
        if opened is not None and not opened.answer.done():
            opened.answer.set_result(text)

    def _desk(self, agent: str) -> _Desk:
        return self._desks.setdefault(agent, _Desk())


class Answers:
    """The agent's side: fetches questions and answers them."""

    def __init__(
        self, agent: str, runtime: Runtime, driver: Driver, client: QuestionClient, images: ImageSource
    ) -> None:
        """Answer what `agent` is asked from what `driver` says, which fetches `images`."""
        self._agent = agent
        self._runtime = runtime
        self._driver = driver
        self._client = client
        self._images = images

    async def run(self) -> None:
        """Work until cancelled. An image takes its time, and keeps nobody else waiting."""
        answering: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    questions = await self._client.questions(self._agent, WAIT_S)
                except KilonovaError as error:
                    log.warning("%s", error.message)
                    await self._runtime.sleep(RETRY_S)
                    continue
                for question in questions:
                    task = self._runtime.spawn(self._answer(question), name=f"answer {question.about}")
                    answering.add(task)
                    task.add_done_callback(answering.discard)
        finally:
            for task in answering:
                task.cancel()

    async def _answer(self, question: Question) -> None:
        """Answer one question; what can't be answered is logged, and its asker hears nothing."""
        try:
            await self._client.answer_question(self._agent, question.id, await self._text(question))
        except KilonovaError as error:
            log.warning("%s", error.message)

    async def _text(self, question: Question) -> str:
        if question.about == "diagnostics":
            found = await self._driver.guest_diagnostics(question.host, question.server_id)
            return msgspec.json.encode(found).decode()
        if question.image is not None:
            await self._driver.image_fetch(question.host, question.image, self._images)
            return ""
        return await self._driver.console_output(question.host, question.server_id, question.lines)
