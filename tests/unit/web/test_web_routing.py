"""Routing: literals before names, versions, methods."""

import pytest

from kilonova.kernel.versions import Line
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route, Router

LINE = Line("api", (("2.1", ()), ("2.2", ()), ("2.3", ())))


async def handler(_call: Call) -> Reply:
    return Reply()


def route(method: str, path: str, **options: str) -> Route:
    return Route(method=method, path=path, handler=handler, **options)


ROUTER = Router(
    [
        route("GET", "/"),
        route("GET", "/servers"),
        route("POST", "/servers"),
        route("GET", "/servers/detail"),
        route("GET", "/servers/{server_id}"),
        route("DELETE", "/servers/{id}"),
        route("GET", "/servers/{server_id}/tags/{tag}"),
        route("GET", "/servers/detail/extra"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "template", "params"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/servers", "/servers", {}),
        ("HEAD", "/servers", "/servers", {}),
        ("GET", "/servers/detail", "/servers/detail", {}),
        ("GET", "/servers/42", "/servers/{server_id}", {"server_id": "42"}),
        ("DELETE", "/servers/42", "/servers/{id}", {"id": "42"}),
        ("GET", "/servers/detail/tags/x", "/servers/{server_id}/tags/{tag}", {"server_id": "detail", "tag": "x"}),
        ("GET", "/servers/..", "/servers/{server_id}", {"server_id": ".."}),
    ],
)
def test_find__known_path__its_route_and_names(method: str, path: str, template: str, params: dict[str, str]) -> None:
    found = ROUTER.find(method, path)
    assert found is not None
    assert found.routes[0].path == template
    assert found.params(found.routes[0]) == params


@pytest.mark.parametrize(
    "path", ["/nothing", "/servers/", "/servers//tags/x", "/servers/1/tags", "//servers", "/servers/1/2/3/4"]
)
def test_find__unknown_path__nothing(path: str) -> None:
    assert ROUTER.find("GET", path) is None


def test_find__known_path_other_method__says_which_it_has() -> None:
    found = ROUTER.find("PUT", "/servers/42")
    assert found is not None
    assert (found.routes, found.methods) == ((), ("DELETE", "GET"))


@pytest.mark.parametrize(
    ("since", "until", "served"),
    [(None, None, "111"), ("2.2", None, "011"), (None, "2.2", "110"), ("2.2", "2.2", "010")],
)
def test_served_at__since_and_until__both_included(since: str | None, until: str | None, served: str) -> None:
    versioned = Route(method="GET", path="/x", handler=handler, since=since, until=until)
    assert "".join(str(int(versioned.served_at(LINE.level(label)))) for label in LINE.labels) == served
    assert versioned.served_at(None)
