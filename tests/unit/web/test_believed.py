"""Callers taken at their word."""

import asyncio

import pytest
from starlette.datastructures import Headers

from kilonova.kernel.errors import NotAuthenticated
from kilonova.web.believed import BelievedTokens, Believing, believed


def caller(**headers: str):
    return believed(Headers({name.replace("_", "-"): value for name, value in headers.items()}))


def test_roles__as_given__and_admin_for_the_user_of_that_name():
    assert caller(x_auth_token="admin").roles == ("admin",)
    assert caller(x_auth_token="bob").roles == ()
    assert caller(x_auth_token="admin", x_roles="reader, member").roles == ("reader", "member")
    assert caller(x_auth_token="admin", x_roles="").roles == ()


def test_project__of_the_token_or_the_header__none_in_the_system():
    assert caller(x_auth_token="bob").project_id == "bob"
    assert caller(x_auth_token="bob:p1").project_id == "p1"
    assert caller(x_auth_token="bob:p1", x_project_id="p2").project_id == "p2"
    system = caller(x_auth_token="bob:p1", openstack_system_scope="all")
    assert (system.project_id, system.system_scope) == (None, True)


def asked(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with which an application behind `Believing` is asked."""
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])

    asyncio.run(Believing(app)({"type": "http", "headers": headers}, None, None))
    return seen


def test_headers__become_a_token_that_says_who_it_is():
    ((_, token),) = asked([(b"x-auth-token", "bøb:p1".encode("latin-1"))])
    found = asyncio.run(BelievedTokens().caller(token.decode("latin-1")))
    assert (found.user_id, found.project_id) == ("bøb", "p1")
    assert asked([(b"accept", b"*/*")]) == [(b"accept", b"*/*")]


def test_token__made_by_somebody_else__is_refused():
    with pytest.raises(NotAuthenticated):
        asyncio.run(BelievedTokens().caller("admin"))
