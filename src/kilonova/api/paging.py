"""Pages of lists: `limit`, `marker`, and the link to the next page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kilonova.api.compute import Compute
from kilonova.api.links import Link, links
from kilonova.api.query import Asked
from kilonova.kernel.errors import Invalid
from kilonova.web.call import Call

T = TypeVar("T")


class NoSuchMarker(Invalid):
    """marker [{marker}] not found"""

    code = "no-such-marker"


@dataclass(frozen=True)
class Page:
    """Which page is asked for."""

    limit: int
    marker: str | None

    def of(self, items: Sequence[T], key: Callable[[T], str]) -> Sequence[T]:
        """This page of a list that is all there. Raises `NoSuchMarker`."""
        start = 0
        if self.marker is not None:
            start = next((at + 1 for at, item in enumerate(items) if key(item) == self.marker), -1)
            if start < 0:
                raise NoSuchMarker(marker=self.marker[:100])
        return items[start : start + self.limit]


def page(asked: Asked, compute: Compute) -> Page:
    """The page that a query asks for; never more than `[api] max_limit` items. Raises `BadParameter`."""
    limit = asked.whole("limit")
    return Page(compute.page_max if limit is None else min(limit, compute.page_max), asked.one("marker"))


def next_links(call: Call, compute: Compute, page: Page, markers: Sequence[object]) -> list[Link]:
    """The link to the next page when this one, which holds `markers`, is full; else nothing."""
    full = len(markers) == page.limit and page.limit > 0
    return [links(call, compute).next(call, markers[-1])] if full else []
