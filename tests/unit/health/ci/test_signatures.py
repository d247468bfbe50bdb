"""Signatures: the language, the first pass that leaves nothing out, and every query that OpenStack's gate ever had."""

import gzip
import json

import pytest

from kilonova.health.ci.lucene import BadQuery, fits, needed, query_read
from kilonova.health.ci.signatures import Refused, Signature, Signatures, precision, signature_read
from unit.health.ci.documents import REAL

QUERIES = REAL / "er-signatures.jsonl.gz"
LINE = {
    "message": "ERROR [req-1] Timed out waiting for 'server' (10 s)",
    "tags": ["screen-n-cpu.txt", "screen"],
    "filename": "logs/new/screen-c-vol.txt",
}


@pytest.mark.parametrize(
    ("query", "is_there"),
    [
        ('message:"timed out waiting for server"', True),
        ('message:"timed waiting"', False),
        ('message:"timed out" AND tags:"screen-n-cpu.txt"', True),
        ('message:"timed out" AND NOT tags:"screen"', False),
        ('message:"timed out" -tags:"console"', True),
        ('message:(+"ERROR" +"Timed out")', True),
        ('message:("nothing" OR "timed out")', True),
        ('tags:(console OR "screen")', True),
        ("filename:logs*screen-c-vol.txt", True),
        ("filename:screen*", False),
        ("message:wait*", True),
        ('"timed out"', True),
        ('message:"a" OR message:"timed" AND tags:"none"', False),
        ('(message:"a" OR message:"timed") AND tags:"screen"', True),
    ],
)
def test_query__of_each_form__fits_or_doesnt(query: str, is_there: bool) -> None:
    assert fits(query_read(query), LINE) is is_there


@pytest.mark.parametrize(
    "query", ["", "   ", 'message:"open', "(a OR b", "a OR", "a )", "AND a", "(" * 60 + "a" + ")" * 60]
)
def test_query__that_makes_no_sense__says_where(query: str) -> None:
    with pytest.raises(BadQuery):
        query_read(query)


def test_needed__phrases_without_which_nothing_fits() -> None:
    assert needed(query_read('message:"short" AND message:"a longer phrase" AND tags:"x"')) == ("a longer phrase",)
    assert needed(query_read('message:"one" OR message:"two"')) == ("one", "two")
    assert needed(query_read('message:"one" OR tags:"x"')) == ()
    assert needed(query_read('NOT message:"one"')) == ()


def test_hits__in_a_log_of_many_pieces__the_same_as_line_by_line() -> None:
    found = [
        signature_read(str(number), f"query: 'message:\"failure number {number}\" AND tags:console'")
        for number in range(50)
    ]
    found.append(signature_read("always", "query: 'message:fail* AND NOT message:number'"))
    signatures = Signatures([one for one in found if isinstance(one, Signature)])
    lines = [f"line {n}: Failure, number {n % 90}!" if n % 7 == 0 else f"line {n} is well" for n in range(3000)]
    lines[2500] = "failing otherwise"
    log = "\n".join(lines).encode()
    expected = [
        (bug, number)
        for number, line in enumerate(lines, 1)
        for bug in signatures.of({"message": line, "tags": "console"})
    ]
    assert [(hit.bug, hit.line) for hit in signatures.hits(log, {"tags": "console"})] == expected
    assert ("always", 2501) in expected


def test_precision__a_phrase_that_every_log_has__is_low() -> None:
    signatures = Signatures(
        [one for one in (signature_read("1", "query: message:error"),) if isinstance(one, Signature)]
    )
    rate = precision(signatures, [b"error"] * 5, [b"error", b"fine"])["1"]
    assert (rate.k, rate.n) == (5, 6)


def test_read__file_without_a_query__is_refused() -> None:
    assert isinstance(signature_read("1", "resolved_at: never"), Refused)


@pytest.mark.skipif(not QUERIES.exists(), reason="elastic-recheck's queries are not here (HEALTH_DATA)")
def test_read__925_real_queries__all_can_be_read() -> None:
    documents = [json.loads(line) for line in gzip.decompress(QUERIES.read_bytes()).splitlines()]
    found = [signature_read(str(one["bug"]), one["yaml"]) for one in documents]
    assert len(found) == 925
    assert not [one for one in found if isinstance(one, Refused)]
