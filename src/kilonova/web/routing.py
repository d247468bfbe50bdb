"""Routes as data, and the tree that finds one by method, path and version."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from kilonova.kernel.versions import Level
from kilonova.web.call import Call, Reply

Handler = Callable[[Call], Awaitable[Reply]]


class Body(Enum):
    """What a route does with the request's body."""

    NONE = "none"
    JSON = "json"
    STREAM = "stream"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of a service: where it is, since when, and who answers."""

    method: str
    path: str
    """Below the service's prefix; `{name}` stands for one segment."""
    handler: Handler
    success: int = 200
    since: str | None = None
    """First version label that has it; None for always."""
    until: str | None = None
    """Last version label that has it; None for still."""
    action: str | None = None
    """For `POST .../action`: the single key of the body."""
    body: Body = Body.NONE
    public: bool = False
    """Answered without a token."""

    def served_at(self, level: Level | None) -> bool:
        """Whether this route exists at `level`."""
        if level is None:
            return True
        return (self.since is None or level.at_least(self.since)) and (
            self.until is None or level.position <= level.line.positions[self.until]
        )


@dataclass
class _Node:
    """One segment of the tree."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    wildcard: "_Node | None" = None
    names: tuple[str, ...] = ()
    routes: dict[str, list[Route]] = field(default_factory=dict)


class Router:
    """Finds routes. A literal segment wins over a `{name}`."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Grow the tree; the names of a path's `{name}` segments belong to the method's routes."""
        self.routes = tuple(routes)
        self._root = _Node()
        for route in self.routes:
            self._add(route)

    def find(self, method: str, path: str) -> "Found | None":
        """The routes of `method` under `path`, whatever their version; None when the path is unknown."""
        segments = path.split("/")[1:] if path not in {"", "/"} else []
        values: list[str] = []
        node = self._walk(self._root, segments, 0, values)
        if node is None:
            return None
        candidates = node.routes.get(method, []) or (node.routes.get("GET", []) if method == "HEAD" else [])
        return Found(tuple(candidates), tuple(values), tuple(sorted(node.routes)))

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path.strip("/").split("/") if route.path != "/" else []:
            if segment.startswith("{"):
                node.wildcard = node.wildcard or _Node()
                node = node.wildcard
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes.setdefault(route.method, []).append(route)

    def _walk(self, node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
        if at == len(segments):
            return node if node.routes else None
        literal = node.literals.get(segments[at])
        if literal is not None:
            found = self._walk(literal, segments, at + 1, values)
            if found is not None:
                return found
        if node.wildcard is not None and segments[at]:
            values.append(segments[at])
            found = self._walk(node.wildcard, segments, at + 1, values)
            if found is not None:
                return found
            values.pop()
        return None


@dataclass(frozen=True)
class Found:
    """What a path leads to."""

    routes: tuple[Route, ...]
    """Those of the method asked for; empty when the path has other methods only."""
    values: tuple[str, ...]
    """What stands for the `{name}` segments, in order."""
    methods: tuple[str, ...]
    """Every method the path has, sorted."""

    def params(self, route: Route) -> dict[str, str]:
        """The values by the names that `route` gives them."""
        names = [segment[1:-1] for segment in route.path.split("/") if segment.startswith("{")]
        return dict(zip(names, self.values, strict=True))
