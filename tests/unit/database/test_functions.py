"""Regular expressions in SQL: found anywhere, whatever the case, in time that no pattern can stretch."""

import sqlite3

import pytest

from kilonova.database import functions
from kilonova.database.functions import PATTERN_MAX, BadPattern, check_pattern


@pytest.fixture
def match():
    connection = sqlite3.connect(":memory:")
    functions.register(connection)
    yield lambda pattern, text: bool(connection.execute("SELECT kn_match(?, ?)", (pattern, text)).fetchone()[0])
    connection.close()


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("web", "my-web-01", True),
        ("WEB", "my-web-01", True),
        ("^web", "my-web-01", False),
        ("0[0-9]$", "my-web-01", True),
        ("a.b", "aéb", True),
        ("É", "é", True),
        ("", "anything", True),
        ("[[:alpha:]]+", "42", False),
        ("x|y", "zy", True),
    ],
)
def test_match__like_regexp_of_mysql(match, pattern, text, found):
    assert match(pattern, text) is found


@pytest.mark.parametrize(
    "pattern", ["(", "[", "*", "(?=a)", r"(a)\1", "a{1001}", "(?P<n>", "x" * (PATTERN_MAX + 1), "((a{100}){100}){100}"]
)
def test_pattern_that_cannot_be_used__told_before_any_query(pattern):
    with pytest.raises(BadPattern) as refused:
        check_pattern(pattern)
    assert refused.value.message.startswith("The regular expression '")
    assert len(refused.value.message) < 200


def test_pattern_made_to_take_for_ever__takes_no_time(match):
    assert not match("^(a|a)*(a|aa)*$", "a" * 100_000 + "!")
