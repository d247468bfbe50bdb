"""What the demo believes of a guest's console."""

import pytest

from tools.demo.problem import Problem
from tools.demo.proof import Expected, boots, proofs, user_data

EXPECTED = Expected(hostname="demo", address="10.0.0.5", mac="fa:16:3e:00:00:01", key_fingerprint="aa:bb", nonce="1")
CONSOLE = """
kilonova-guest: card=eth0 mac=fa:16:3e:00:00:01 mtu=1500
kilonova-guest: address=10.0.0.5
kilonova-guest: hostname=demo
kilonova-guest: key=aa:bb demo@kilonova
answer=c4ca4238a0b923820dcc509a6f75849b
kilonova-guest: ready after 3 s
"""


def test_proofs__all_as_expected__a_sentence_each() -> None:
    assert len(proofs(CONSOLE, EXPECTED)) == 5
    assert boots(CONSOLE) == 1


@pytest.mark.parametrize("word", ["hostname=demo", "address=10.0.0.5", "mac=fa:16", "key=aa:bb", "answer=c4ca"])
def test_proofs__one_thing_missing__refused(word: str) -> None:
    with pytest.raises(Problem, match="The console lacks"):
        proofs(CONSOLE.replace(word, word[:-1] + "?"), EXPECTED)


def test_proofs__address_only_begins_alike__refused() -> None:
    with pytest.raises(Problem, match="address"):
        proofs(CONSOLE.replace("10.0.0.5", "10.0.0.55"), EXPECTED)


def test_user_data__answer_is_computed_in_the_guest__not_written_in_the_script() -> None:
    assert "c4ca4238" not in user_data("1")
