"""Whether two replies say the same, field by field; the order of candidates, providers, traits is not laid down."""

import json
from typing import Any


def same(one: bytes, other: bytes) -> str:
    """What was compared. Raises AssertionError at the first difference."""
    left, right = json.loads(one), json.loads(other)
    assert left.keys() == right.keys(), (left.keys(), right.keys())
    _equal(_candidates(left), _candidates(right), "allocation_requests")
    _equal(_summaries(left), _summaries(right), "provider_summaries")
    return f"{len(left['allocation_requests'])} candidates, {len(left['provider_summaries'])} summaries"


def same_part(one: bytes, other: bytes, whole: bytes | None) -> str:
    """The same for limited replies, which may pick different candidates: as many of them, and each is one of `whole`."""
    left, right = json.loads(one), json.loads(other)
    assert len(left["allocation_requests"]) == len(right["allocation_requests"])
    summaries = _summaries(left)
    for uuid, summary in _summaries(right).items():
        assert summaries.setdefault(uuid, summary) == summary, uuid
    if whole is not None:
        every = json.loads(whole)
        candidates = _candidates(every)
        for reply in (left, right):
            assert _candidates(reply).items() <= candidates.items()
            assert _summaries(reply).items() <= _summaries(every).items()
    return f"{len(left['allocation_requests'])} candidates"


def _candidates(reply: dict[str, Any]) -> dict[str, int]:
    """Each candidate, in one way of writing it, with how often it is there."""
    counted: dict[str, int] = {}
    for one in reply["allocation_requests"]:
        one["mappings"] = {suffix: sorted(uuids) for suffix, uuids in one["mappings"].items()}
        text = json.dumps(one, sort_keys=True)
        counted[text] = counted.get(text, 0) + 1
    return counted


def _summaries(reply: dict[str, Any]) -> dict[str, Any]:
    return {
        uuid: json.dumps({**one, "traits": sorted(one["traits"])}, sort_keys=True)
        for uuid, one in reply["provider_summaries"].items()
    }


def _equal(left: dict[str, Any], right: dict[str, Any], what: str) -> None:
    only_left = [key for key in left if left[key] != right.get(key)]
    only_right = [key for key in right if right[key] != left.get(key)]
    assert not only_left, f"{what}: {only_left[:2]} {left[only_left[0]]}"
    assert not only_right, f"{what}: {only_right[:2]} {right[only_right[0]]}"
