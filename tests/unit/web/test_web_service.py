"""A service: the way in and out of a request, and what hostile ones get."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from kilonova.kernel import errors
from kilonova.kernel.ids import UserId
from kilonova.kernel.versions import Line
from kilonova.objects.caller import Caller
from kilonova.runtime.real import RealRuntime
from kilonova.web.call import Call, Reply
from kilonova.web.errors import STATUS, TITLES, Fault
from kilonova.web.mount import Mounts, not_found
from kilonova.web.negotiation import Negotiation
from kilonova.web.routing import Body, Route
from kilonova.web.service import Dialect, Service

LINE = Line("api", (("2.1", ()), ("2.2", ())))


class OneToken:
    """Knows the token `good`."""

    async def caller(self, token: str) -> Caller:
        if token != "good":
            raise errors.NotAuthenticated
        return Caller(user_id=UserId("u"), user_name="u")


class Teapot(errors.Unavailable):
    """The pot is empty."""

    code = "pot"


async def echo(call: Call) -> Reply:
    return Reply(
        {"body": call.body, "params": call.params, "query": call.query, "user": call.caller and call.user.user_id}
    )


async def size(call: Call) -> Reply:
    return Reply({"size": sum([len(piece) async for piece in call.stream()])})


async def pieces(_call: Call) -> Reply:
    async def each() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    return Reply(each(), media_type="text/plain")


async def fails(call: Call) -> Reply:
    known: dict[str, Exception] = {
        "bug": RuntimeError("the secret is 42"),
        "pot": Teapot(),
        "tried": errors.Failure(reason="The kettle is cold."),
        "long": errors.Invalid(reason="x" * 10_000),
    }
    raise known[call.params["how"]]


async def empty(_call: Call) -> Reply:
    return Reply()


def error_body(fault: Fault) -> tuple[bytes, str]:
    return msgspec.json.encode(
        {"code": fault.status, "message": fault.message, "title": fault.title}
    ), "application/json"


ROUTES = [
    Route(method="GET", path="/", handler=empty, public=True),
    Route(method="GET", path="/things/{thing_id}", handler=echo),
    Route(method="POST", path="/things", handler=echo, success=201, body=Body.JSON),
    Route(method="POST", path="/things/{thing_id}/action", handler=echo, success=202, body=Body.JSON, action="start"),
    Route(
        method="POST",
        path="/things/{thing_id}/action",
        handler=empty,
        success=202,
        body=Body.JSON,
        action="lock",
        since="2.2",
    ),
    Route(method="PUT", path="/upload", handler=size, body=Body.STREAM),
    Route(method="GET", path="/pieces", handler=pieces),
    Route(method="GET", path="/new", handler=empty, success=204, since="2.2"),
    Route(method="GET", path="/fails/{how}", handler=fails),
]


def ask(method: str, path: str, token: str | None = "good", raw: bool = False, **options: Any) -> httpx.Response:
    dialect = Dialect(
        name="compute",
        error_body=error_body,
        negotiation=Negotiation("compute", LINE),
        body_max=1000,
        challenge="Keystone uri='x'",
    )
    service = Service(dialect, ROUTES, OneToken(), RealRuntime())
    mounted = Mounts({"/compute": service}, not_found("There is nothing here."))

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=mounted)
        headers = {**({"X-Auth-Token": token} if token else {}), **options.pop("headers", {})}
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.request(method, path if raw else f"/compute{path}", headers=headers, **options)

    return asyncio.run(asked())


def test_request__answered__with_request_id_and_version() -> None:
    response = ask("GET", "/things/7?a=1&a=2")
    assert response.status_code == 200
    assert response.json() == {
        "body": None,
        "params": {"thing_id": "7"},
        "query": [["a", "1"], ["a", "2"]],
        "user": "u",
    }
    assert response.headers["X-Openstack-Request-Id"].startswith("req-")
    assert response.headers["X-Compute-Request-Id"] == response.headers["X-Openstack-Request-Id"]
    assert response.headers["OpenStack-API-Version"] == "compute 2.1"
    assert response.headers["Vary"] == "OpenStack-API-Version"


def test_request__trailing_slash__same_path() -> None:
    assert ask("GET", "/things/7/").status_code == 200


@pytest.mark.parametrize("token", [None, "", "bad"])
def test_request__no_good_token__unauthorized_with_a_challenge(token: str | None) -> None:
    response = ask("GET", "/things/7", token)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Keystone uri='x'")


def test_request__public_route__no_token_needed() -> None:
    assert ask("GET", "", None).status_code == 200


@pytest.mark.parametrize("token", [None, "good"])
def test_request__unknown_path__not_found_for_anybody(token: str | None) -> None:
    assert ask("GET", "/nothing", token).status_code == 404
    assert ask("GET", "/things/..%2f..%2fetc", token).status_code == 404


def test_request__wrong_method__says_which_there_are() -> None:
    response = ask("DELETE", "/things/7")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")


def test_request__route_of_a_newer_version__not_found_before() -> None:
    assert ask("GET", "/new").status_code == 404
    assert ask("GET", "/new", headers={"OpenStack-API-Version": "compute 2.2"}).status_code == 204


@pytest.mark.parametrize(("asked", "status"), [("compute 2.9", 406), ("compute x", 400)])
def test_request__version_not_served__refused_before_anything_else(asked: str, status: int) -> None:
    response = ask("GET", "/things/7", None, headers={"OpenStack-API-Version": asked})
    assert response.status_code == status


def test_action__by_the_bodys_key_and_version() -> None:
    path = "/things/7/action"
    assert ask("POST", path, json={"start": None}).status_code == 202
    assert ask("POST", path, json={"lock": None}).status_code == 404
    assert ask("POST", path, json={"lock": None}, headers={"OpenStack-API-Version": "compute 2.2"}).status_code == 202
    for body in ({}, {"start": 1, "lock": 1}, [], "start", None, {"nothing": None}):
        assert ask("POST", path, json=body).status_code == 400


HOSTILE = {
    "no JSON": b"{",
    "bad UTF-8": b'{"a": "\xff\xfe"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "deep list": b"[" * 450 + b"]" * 450,
    "deeper list": b"[" * 999,
    "two documents": b"{}{}",
    "not a number": b'{"a": NaN}',
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_body__hostile__never_our_fault(name: str) -> None:
    assert ask("POST", "/things", content=HOSTILE[name]).status_code in {201, 400}


def test_body__bottomless__bad_request() -> None:
    raw = b'{"a":' * 190 + b"1" + b"}" * 190
    assert ask("POST", "/things", content=raw).status_code in {201, 400, 413}


def test_body__too_large__refused_whether_declared_or_not() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 1000

    assert ask("POST", "/things", content=b" " * 1001).status_code == 413
    assert ask("POST", "/things", content=endless()).status_code == 413
    assert ask("POST", "/things", content=b"{}", headers={"Content-Length": "x"}).status_code == 413


def test_body__stream__not_limited_and_not_read_before() -> None:
    assert ask("PUT", "/upload", content=b"x" * 5000).json() == {"size": 5000}


def test_reply__stream__all_pieces() -> None:
    response = ask("GET", "/pieces")
    assert (response.text, response.headers["content-type"]) == ("one two", "text/plain; charset=utf-8")


def test_failure__bug__no_details_but_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    response = ask("GET", "/fails/bug")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["X-Openstack-Request-Id"] in response.json()["message"]
    assert "the secret is 42" in caplog.text


def test_failure__what_was_tried_and_failed__says_what(caplog: pytest.LogCaptureFixture) -> None:
    response = ask("GET", "/fails/tried")
    assert (response.status_code, response.json()["message"]) == (500, "The kettle is cold.")
    assert caplog.records == []


def test_failure__unavailable__may_be_retried() -> None:
    response = ask("GET", "/fails/pot")
    assert (response.status_code, response.headers["Retry-After"], response.json()["message"]) == (
        503,
        "2",
        "The pot is empty.",
    )


def test_failure__long_message__cut() -> None:
    assert len(ask("GET", "/fails/long").json()["message"]) == 2000


def test_log__line_break_in_the_path__stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ask("GET", "/things/a%0aforged line")
    assert caplog.messages
    assert not any("\n" in message for message in caplog.messages)


def test_mounts__no_such_service__said() -> None:
    assert ask("GET", "/other/x", raw=True).json()["error"]["message"] == "There is nothing here."


def test_status__every_family_has_a_title() -> None:
    assert {status for _, status in STATUS} <= set(TITLES)
