"""Hostile input at every route of the identity and image services: the right refusal, never a 5xx, nothing lost."""

import random
from pathlib import Path
from typing import Any

import pytest

from contract.services import Services, run, services
from kilonova.web.routing import Route

IDS = [
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%00",
    "a%0d%0ab",
    "%ff%fe",
    "'",
    '";--',
    "x" * 3000,
    "%F0%9F%92%A9",
    "%25s",
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    2**63,
    2**64,
    1e308,
    "",
    "\x00",
    "../../etc/passwd",
    "x" * 70_000,
    [],
    {},
    [[[[]]]],
    {"a": {"b": {"c": None}}},
    {"id": {"id": []}},
    "💩",
]
FIELDS = [
    "name",
    "id",
    "enabled",
    "password",
    "roles",
    "expires_at",
    "domain_id",
    "tags",
    "description",
    "member",
    "status",
]
ROOTS = ["auth", "user", "project", "role", "application_credential", "member", "identity"]
RAW = [b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 20_000, b'"\\ud800"', b"NaN", b"\x00" * 10, b" " * 200_000]
HEADERS = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def bodies(rng: random.Random) -> list[Any]:
    """Bodies of the right outline with wrong things in them."""
    fields = {rng.choice(FIELDS): rng.choice(VALUES) for _ in range(3)}
    patch = [
        {
            "op": rng.choice(["add", "remove", "x"]),
            "path": rng.choice(["/a", "", "/", "//"]),
            "value": rng.choice(VALUES),
        }
    ]
    return [fields, {rng.choice(ROOTS): fields}, {rng.choice(ROOTS): rng.choice(VALUES)}, patch, rng.choice(VALUES)]


def filled(route: Route, rng: random.Random) -> str:
    segments = [rng.choice(IDS) if part.startswith("{") else part for part in route.path.split("/")]
    return "/".join(segments)


async def assault(s: Services, prefix: str, routes: tuple[Route, ...], token: str, rng: random.Random) -> None:
    for route in routes:
        for body in bodies(rng):
            path = f"{prefix}{filled(route, rng)}"
            options = {"json": body} if route.method in {"POST", "PUT", "PATCH"} else {}
            query = {rng.choice(["name", "limit", "marker", "sort", "user.id", "tag"]): str(rng.choice(VALUES))[:2000]}
            response = await s.ask(route.method, path, token, HEADERS, params=query, **options)
            assert response.status_code < 500, (route.method, path, body, response.text)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("who", ["admin", "kilonova"])
def test_every_route__wrong_ids_bodies_and_queries__refused(tmp_path: Path, seed: int, who: str) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            rng, token = random.Random(seed), await s.token(who)
            await assault(s, "/identity", s.identity.service.router.routes, token, rng)
            await assault(s, "/image", s.images.service.router.routes, token, rng)
            s.tokens.clear()
            assert await s.token("admin")
            assert len((await s.admin("GET", "/users?name=kilonova"))["users"]) == 1

    run(scenario())


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: f"{raw[:6]!r} x {len(raw)}")
def test_every_body__not_json__bad_request_or_too_large(tmp_path: Path, raw: bytes) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            token = await s.token()
            for method, path in (
                ("POST", "/identity/v3/auth/tokens"),
                ("POST", "/identity/v3/users"),
                ("PATCH", "/identity/v3/projects/x"),
                ("POST", "/image/v2/images"),
            ):
                response = await s.ask(method, path, token, content=raw)
                assert response.status_code in {400, 404, 413}, (path, response.text)

    run(scenario())


def test_every_private_route__no_token__unauthorized(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            for prefix, service in (("/identity", s.identity.service), ("/image", s.images.service)):
                for route in service.router.routes:
                    path = route.path.replace("{", "").replace("}", "")
                    response = await s.ask(route.method, f"{prefix}{path}")
                    assert route.public or response.status_code == 401, route

    run(scenario())
