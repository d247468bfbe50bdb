"""The publisher: nothing is lost, nothing comes before what it follows, and what is told twice has one id."""

import asyncio
import functools
import json

import httpx
import pytest

from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import api_database, cell_database
from kilonova.kernel.errors import Unavailable
from kilonova.notifications import outbox
from kilonova.notifications.file_sink import FileSink
from kilonova.notifications.publisher import Publisher
from kilonova.notifications.webhook import MESSAGE, SIGNATURE, TIMESTAMP, Webhook, signature
from kilonova.runtime.real import RealRuntime


def played(test):
    """A test that runs on a loop of its own."""

    @functools.wraps(test)
    def run(*args, **fixtures):
        asyncio.run(test(*args, **fixtures))

    return run


class Taking:
    """A sink that takes as many of each batch as it is told to; None for all, -1 for not answering."""

    def __init__(self, *takes):
        self.takes = list(takes)
        self.got = []

    async def send(self, messages):
        most = self.takes.pop(0) if self.takes else None
        if most == -1:
            raise Unavailable(service="the sink", reason="it sleeps")
        taken = messages[:most]
        self.got += taken
        return len(taken)

    async def close(self):
        """Nothing is open."""


class Two:
    """An API database and a cell's, and a publisher between them and a sink."""

    def __init__(self, path, sink):
        self.runtime = RealRuntime()
        self.api = SqliteDatabase("api", path / "api.db", self.runtime, tells=True)
        self.cell = SqliteDatabase("cell1", path / "cell1.db", self.runtime, tells=True)
        self.publisher = Publisher(self.runtime, self.api, lambda: [self.cell], sink, most=3)

    async def __aenter__(self):
        await self.api.create(api_database.metadata)
        await self.cell.create(cell_database.metadata)
        return self

    async def __aexit__(self, *exc):
        await self.api.close()
        await self.cell.close()

    async def note(self, database, *events):
        for event in events:
            await database.write(outbox.note_txn, event, "nova-api:kilonova", {"about": event})


@played
async def test_publish__what_the_api_database_has__comes_before_the_cells(tmp_path):
    sink = Taking()
    async with Two(tmp_path, sink) as two:
        await two.note(two.cell, "instance.create.end")
        await two.note(two.api, "instance.create.start")
        assert await two.publisher.publish()
        assert [one.event_type for one in sink.got] == ["instance.create.start", "instance.create.end"]
        assert not await two.publisher.publish()


@played
async def test_publish__sink_takes_a_part__the_rest_comes_next_and_in_order(tmp_path):
    sink = Taking(2, -1)
    async with Two(tmp_path, sink) as two:
        await two.note(two.cell, *"abcde")
        await two.publisher.publish()
        with pytest.raises(Unavailable):
            await two.publisher.publish()
        await two.publisher.publish()
        assert [one.event_type for one in sink.got] == list("abcde")


@played
async def test_publish__died_before_it_could_forget__told_again_with_the_same_id(tmp_path):
    sink = Taking()
    async with Two(tmp_path, sink) as two:
        await two.note(two.cell, "a")
        (line,) = await two.cell.read(outbox.due_txn, 10)
        await two.publisher.publish()
        await two.cell.write(
            lambda tx: tx.connection.exec_driver_sql(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)",
                (line.seq, line.event_type, line.priority, line.publisher_id, bytes(line.payload), line.at),
            )
        )
        await two.publisher.publish()
        await two.note(two.cell, "b")
        await two.publisher.publish()
        first, again, other = sink.got
        assert first == again
        assert other.message_id != first.message_id


@played
async def test_trim__more_than_may_wait__the_oldest_go(tmp_path):
    async with Two(tmp_path, Taking()) as two:
        await two.note(two.cell, *"abcde")
        assert await two.cell.write(outbox.trim_txn, 3) == 2
        assert [one.event_type for one in await two.cell.read(outbox.due_txn, 10)] == list("cde")


@played
async def test_file__lines_are_whole_and_full_files_are_put_aside(tmp_path):
    path = tmp_path / "deep" / "n.jsonl"
    sink = FileSink(path, RealRuntime(), max_bytes=150, backups=1)
    async with Two(tmp_path, sink) as two:
        for event in "abc":
            await two.note(two.cell, event)
            await two.publisher.publish()
            with path.open("a") as file:
                file.write('{"half')
        told = [json.loads(line)["event_type"] for line in path.read_text().splitlines() if not line.endswith("half")]
        assert told == ["c"]
        assert path.with_name("n.jsonl.1").exists()
        assert path.stat().st_mode & 0o077 == 0


@played
async def test_file__half_a_line__is_written_over(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text('{"whole": 1}\n{"half')
    async with Two(tmp_path, FileSink(path, RealRuntime(), max_bytes=10_000, backups=1)) as two:
        await two.note(two.cell, "a")
        await two.publisher.publish()
        assert [json.loads(line).get("event_type") for line in path.read_text().splitlines()] == [None, "a"]


@played
async def test_file__cannot_be_written__says_so(tmp_path):
    sink = FileSink(tmp_path, RealRuntime(), max_bytes=10**9, backups=0)
    with pytest.raises(Unavailable, match="cannot answer"):
        await sink.send([])


@played
async def test_webhook__signed_and_in_order__until_one_is_refused(tmp_path):
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(500 if len(asked) == 2 else 204)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    sink = Webhook("https://hooks.test/n", "secret", RealRuntime(), client)
    async with Two(tmp_path, sink) as two:
        await two.note(two.cell, *"ab")
        await two.publisher.publish()
        await two.publisher.publish()
        await sink.close()
    assert [json.loads(request.content)["event_type"] for request in asked] == ["a", "b", "b"]
    for request in asked:
        expected = signature(b"secret", request.headers[TIMESTAMP], request.content)
        assert request.headers[SIGNATURE] == expected
        assert request.headers[MESSAGE] == json.loads(request.content)["message_id"]


@played
async def test_webhook__first_one_refused__the_sink_is_not_there(tmp_path):
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    async with Two(tmp_path, Webhook("https://hooks.test/n", "secret", RealRuntime(), client)) as two:
        await two.note(two.cell, "a")
        with pytest.raises(Unavailable, match="it answered 503"):
            await two.publisher.publish()
