"""Spoiled bodies: every position of every valid request gets what does not belong there. Refused means: nothing was done."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.hostile import Answer, Hostile, judge
from api.hostile_corpus import CORPUS, Asking, furnished

SEED = 20150430
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**63,
    2**64,
    -(2**80),
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\x00",
    "a\x00b",
    "a\nb",
    "\x7f\x1b[31m",
    "\ud800",
    "\u202e\u200b",
    "💥" * 100,
    "x" * 300,
    "x" * 70_000,
    "9" * 5_000,
    "../../../etc/passwd",
    "%2e%2e%2f%00",
    "'; DROP TABLE servers; --",
    "{0.__class__} %(name)s ${x}",
    "(a+)+$",
    "00000000-0000-0000-0000-000000000000",
    [],
    [None],
    [[]],
    [{}],
    ["x"] * 2_000,
    {},
    {"": ""},
    {"\x00": "\x00"},
    {"x" * 300: "x"},
    {"a": {"b": {"c": []}}},
)
AT_EACH_POSITION = 12
"""How many of JUNK each position of a body is tried with, drawn anew for each by the one seed."""

RAW = {
    "no JSON": b"{",
    "bad UTF-8": b'{"\xff\xfe": "\xc3\x28"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "lone surrogate": b'{"a": "\\ud800"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "huge number": b"9" * 100_000,
    "huge exponent": b"1e999999999",
    "not a number": b"NaN",
    "NUL": b"\x00",
    "text": b'"text"',
    "number": b"1",
    "null": b"null",
    "nothing": b"",
    "twice": b'{"a": 1, "a": 2}',
    "trailing": b"{} {}",
    "form": b"a=1&b=2",
}


def spoiled(body: Any, chance: random.Random) -> Iterator[Any]:
    """`body` again and again, each time with one thing wrong: another value, a key too many, a key missing."""
    yield from chance.sample(JUNK, AT_EACH_POSITION)
    if isinstance(body, dict):
        yield {**body, "nobody-knows-this": 1}
        for key, value in body.items():
            yield {name: other for name, other in body.items() if name != key}
            yield from ({**body, key: worse} for worse in spoiled(value, chance))
    elif isinstance(body, list):
        yield [*body, *body]
        for at, value in enumerate(body):
            yield from ([*body[:at], worse, *body[at + 1 :]] for worse in spoiled(value, chance))


def send(hostile: Hostile, asking: Asking, body: bytes) -> Answer:
    return hostile.ask(asking.method, hostile.filled(asking.path), body, headers=[("Content-Type", asking.media_type)])


def databases_of(asking: Asking) -> tuple[str, ...]:
    return ("api", "cell0", "cell1") if asking.service == "compute" else (asking.service,)


def test_corpus__nothing_spoiled__accepted(tmp_path: Path) -> None:
    with furnished(tmp_path) as hostile:
        for asking in CORPUS:
            answer = judge(send(hostile, asking, hostile.filled(json.dumps(asking.body)).encode()))
            assert answer.status < 300, f"{answer.asked}: {answer.status} {answer.content!r}"
            hostile.settle()


@pytest.mark.parametrize("asking", CORPUS, ids=lambda asking: f"{asking.method} {asking.path}")
def test_bodies__one_thing_wrong__refused_without_a_trace_or_taken(hostile: Hostile, asking: Asking) -> None:
    chance = random.Random(f"{SEED} {asking.path}")
    before = hostile.state(*databases_of(asking))
    refused = 0
    for body in spoiled(asking.body, chance):
        answer = judge(send(hostile, asking, hostile.filled(json.dumps(body)).encode()))
        if asking.service == "compute" and answer.status < 300:
            hostile.settle()
        after = hostile.state(*databases_of(asking))
        if answer.status >= 400:
            refused += 1
            assert after == before, f"{answer.asked}: {answer.status}, and yet something changed"
        before = after
    assert refused > 0


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_bodies__no_document__refused_without_a_trace(hostile: Hostile, raw: bytes) -> None:
    before = hostile.state()
    for asking in CORPUS:
        answer = judge(send(hostile, asking, raw))
        assert 400 <= answer.status < 500, f"{answer.asked}: {answer.status}"
    assert hostile.state() == before


def test_bodies__too_large__413_before_they_are_read(hostile: Hostile) -> None:
    for asking in CORPUS:
        answer = judge(send(hostile, asking, b'{"a": "' + b"x" * (9 << 20) + b'"}'))
        assert answer.status == 413, answer.asked
        declared = [("Content-Length", "99999999999"), ("Content-Type", asking.media_type)]
        answer = judge(hostile.ask(asking.method, hostile.filled(asking.path), b"{}", headers=declared))
        assert answer.status == 413, answer.asked


def test_cloud__after_all_of_it__still_works(hostile: Hostile) -> None:
    for asking in CORPUS:
        if asking.service == "identity" and "tokens" in asking.path:
            assert send(hostile, asking, json.dumps(asking.body).encode()).status == 201
    server = hostile.cloud.member.get(f"/compute/v2.1/servers/{hostile.ids['server']}")["server"]
    assert server["status"] == "ACTIVE"
