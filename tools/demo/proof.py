"""The guest's own words on its console, held against what the cloud says."""

import hashlib
import re
from dataclasses import dataclass

from tools.demo.problem import Problem

READY = "kilonova-guest: ready"
WORDS_SHOWN = 40
"""Last lines of the console that are printed."""


@dataclass(frozen=True)
class Expected:
    """What the cloud says of the server."""

    hostname: str
    address: str
    mac: str
    key_fingerprint: str
    nonce: str
    """Given to the guest in its user data; it answers with the MD5 sum."""


def user_data(nonce: str) -> str:
    """A script that proves it ran inside of the guest: only there are its hostname and its kernel."""
    return f"""#!/bin/sh
echo "Hello from $(hostname), running Linux $(uname -r)."
echo "answer=$(echo -n {nonce} | md5sum | cut -c1-32)"
"""


def boots(console: str) -> int:
    """How often the guest came up, as far as the console remembers."""
    return console.count(READY)


def proofs(console: str, expected: Expected) -> list[str]:
    """What the console proves, a sentence each. Raises `Problem` for what it does not."""
    answer = hashlib.md5(expected.nonce.encode(), usedforsecurity=False).hexdigest()
    wanted = {
        f"The guest calls itself {expected.hostname}, like the server.": f"hostname={expected.hostname}",
        f"It received {expected.address}, the port's fixed IP.": f"address={expected.address}",
        f"Its card has the port's MAC, {expected.mac}.": f"mac={expected.mac}",
        f"It was given the key {expected.key_fingerprint}.": f"key={expected.key_fingerprint}",
        "It ran the user data: the answer is right.": f"answer={answer}",
    }
    words = set(re.split(r"\s+", console))
    for sentence, word in wanted.items():
        if word not in words:
            raise Problem(f"The console lacks `{word}`. {sentence.replace('It ', 'Expected: it ')}")
    return list(wanted)


def fake_proofs(console: str, expected: Expected) -> list[str]:
    """What the fake driver's console shows: only that the port's address came through."""
    if f"address={expected.address}" not in console:
        raise Problem(f"The fake console lacks address={expected.address}.")
    return [f"FAKE: the driver was told {expected.address}, the port's fixed IP. No guest runs."]
