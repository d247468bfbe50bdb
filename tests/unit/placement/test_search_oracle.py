"""The engine against the oracle, over random clouds and queries. `make oracle` tries a hundred thousand."""

import os
import random

import msgspec

from kilonova.placement.search.search import search
from unit.placement import oracle, random_clouds

CASES = int(os.environ.get("KILONOVA_ORACLE_CASES", "3000"))
FIRST = int(os.environ.get("KILONOVA_ORACLE_FIRST", "0"))


def check(seed: int) -> int:
    """One case; how many candidates there were."""
    draw = random.Random(seed)
    facts = random_clouds.cloud(draw)
    query = random_clouds.query(draw)
    fleet = random_clouds.fleet(facts)
    expected = oracle.candidates(facts, query)
    found = random_clouds.found(fleet, search(fleet, query))
    assert len(found) == len(set(found)), f"seed {seed}: a candidate is told twice"
    assert set(found) == expected, f"seed {seed}"
    limit = draw.randint(1, 3)
    fresh = random_clouds.fleet(facts)
    first = random_clouds.found(fresh, search(fresh, msgspec.structs.replace(query, limit=limit)))
    assert first == found[:limit], f"seed {seed}: a limit keeps the first"
    return len(found)


def test_search__random_clouds_and_queries__finds_what_the_oracle_finds() -> None:
    some = sum(check(seed) > 0 for seed in range(FIRST, FIRST + CASES))
    assert some > CASES // 5, "nearly all queries find nothing: the clouds are too poor to tell anything"
