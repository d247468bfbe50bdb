"""What the hostile-input suite works with: a cloud with one of everything in it, asked over bare ASGI.

A client library would tidy up a hostile request before it is sent, so `Hostile.ask` hands path, headers and body to the cloud
as bytes, the way uvicorn does. `CORPUS` in `hostile_corpus.py` holds the valid requests that the tests spoil. Two rules hold for
every answer, and `judge` checks them: no 5xx (but 501 where the API says so), and an error is worded in its service's form.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from cloud import Asker, TestCloud

Headers = Sequence[tuple[str, str]]

NEWEST = {"compute": "compute 2.100", "placement": "placement 1.39"}
"""The version that requests ask for where they don't say."""
RESTLESS = {"agents", "hosts"}
"""Tables that change while nobody asks for anything: heartbeats."""


@dataclass(frozen=True)
class Answer:
    """An answer, and what was asked."""

    asked: str
    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.content)


class Hostile:
    """A cloud, and what is in it."""

    def __init__(self, cloud: TestCloud) -> None:
        self.cloud = cloud
        self.ids: dict[str, str] = {}
        """Ids of what is there, by the names that stand in the corpus's paths and bodies."""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        caller: Asker | None = None,
        headers: Headers = (),
    ) -> Answer:
        """One request as `caller`, the administrator if None. `path` is sent as it is; its `?` begins the query."""
        return self.cloud.run(self._ask(method, path, body, caller or self.cloud.admin, headers))

    async def _ask(self, method: str, path: str, body: bytes, caller: Asker, headers: Headers) -> Answer:
        given = {name.lower() for name, _ in headers}
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        service = path.split("/")[1]
        for name, value in (
            ("host", "kilonova.test"),
            ("content-length", str(len(body))),
            ("content-type", "application/json"),
            ("x-auth-token", caller.token),
            ("openstack-api-version", NEWEST.get(service)),
        ):
            if name not in given and value is not None:
                sent.append((name.encode(), value.encode()))
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("utf-8", "replace"),
            "query_string": query.encode("utf-8", "replace"),
            "root_path": "",
            "headers": sent,
            "client": ("127.0.0.1", 50000),
            "server": ("kilonova.test", 80),
        }
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await asyncio.wait_for(self.cloud.cloud.app(scope, receive, send), 20)
        start = messages[0]
        return Answer(
            asked=f"{method} {path[:200]} {body[:300]!r} {[h for h in headers if len(h[1]) < 200]}",
            status=start["status"],
            headers={name.decode(): value.decode("latin-1") for name, value in start["headers"]},
            content=b"".join(message.get("body", b"") for message in messages[1:]),
        )

    def filled(self, text: str) -> str:
        """`text` with the ids of what is there in place of `<name>`."""
        for name, id_ in self.ids.items():
            text = text.replace(f"<{name}>", id_)
        return text

    def state(self, *databases: str) -> dict[str, list[Any]]:
        """Every row of these databases (all, if none are named), but for the tables that never rest."""
        files = sorted((self.cloud.config.up.path / "databases").glob("*.sqlite"))
        found: dict[str, list[Any]] = {}
        for file in files:
            if databases and file.stem not in databases:
                continue
            with sqlite3.connect(file) as connection:
                names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for name in names:
                    if name not in RESTLESS:
                        found[f"{file.stem}.{name}"] = connection.execute(f"SELECT * FROM {name}").fetchall()
            connection.close()
        return found

    def settle(self) -> None:
        """Let the cloud finish what it was told to do."""

        def at_rest() -> bool:
            live = "SELECT count(*) FROM operations WHERE state IN ('queued', 'running', 'undoing')"
            for name in ("api", "cell0", "cell1"):
                with sqlite3.connect(self.cloud.config.up.path / "databases" / f"{name}.sqlite") as connection:
                    (found,) = connection.execute(live).fetchone()
                connection.close()
                if found:
                    return False
            return True

        self.cloud.wait_for(at_rest, "the cloud to come to rest")


def judge(answer: Answer) -> Answer:
    """Hold an answer to the two rules; the answer."""
    assert answer.status < 500 or answer.status == 501, f"{answer.asked}: {answer.status} {answer.content[:500]!r}"
    if answer.status >= 400 and not answer.asked.startswith("HEAD "):
        told = error_of(answer.asked.split(" ")[1], answer.json())
        assert told, f"{answer.asked}: {answer.status} without a word: {answer.content[:500]!r}"
        assert len(answer.content) < 20_000, f"{answer.asked}: an error of {len(answer.content)} bytes"
    return answer


def error_of(path: str, document: Any) -> str:
    """The message of an error in the form of the service that `path` leads to; a 401 has the same form everywhere."""
    match path.split("/")[1].partition("?")[0]:
        case "network" if "error" not in document:
            error = document["NeutronError"]
            assert set(error) == {"type", "message", "detail"}, document
            return str(error["message"])
        case "placement" if "error" not in document:
            (error,) = document["errors"]
            return str(error["detail"]) if error["status"] >= 400 else ""
        case "compute" if "error" not in document:
            (error,) = document.values()
            return str(error["message"]) if error["code"] >= 400 else ""
        case _:
            error = document["error"]
            return (str(error["message"]) or error["title"]) if error["code"] >= 400 else ""
