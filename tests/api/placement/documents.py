"""Documents that tests of the Placement API send, and what they read in answers."""

from typing import Any

import httpx

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
C = "aaaaaaaa-0000-4000-8000-000000000003"
CONSUMER, OTHER = "cccccccc-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002"
AGGREGATE = "dddddddd-0000-4000-8000-000000000001"


def allocation(consumer_generation: int | None, held: dict[str, dict[str, int]]) -> dict[str, Any]:
    return {
        "allocations": {uuid: {"resources": resources} for uuid, resources in held.items()},
        "project_id": "p1",
        "user_id": "u1",
        "consumer_generation": consumer_generation,
        "consumer_type": "INSTANCE",
    }


def error_of(answer: httpx.Response) -> dict[str, Any]:
    (error,) = answer.json()["errors"]
    assert error["status"] == answer.status_code
    assert error["request_id"] == answer.headers["x-openstack-request-id"]
    return error
