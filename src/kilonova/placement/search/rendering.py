"""An answer as the API shows it (Placement API, "Allocation candidates"), written straight as JSON.

Design notes. A reply of a thousand candidates is a megabyte, most of it the same from one request to the next. So the summary of
each provider is kept as text until the provider changes, a candidate of one provider is a fixed text around its UUID, and a
reply is those texts joined.
"""

from collections.abc import Iterable, Sequence

import msgspec

from kilonova.placement import names
from kilonova.placement.search.answer import Alone, Answer, Candidate
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.shapes import Resources

FRAGMENTS_MAX = 20_000
"""Most summaries that are kept as text."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What the reply shows, which differs between versions. The default is the newest."""

    by_provider: bool = True
    """Allocations are a map by provider (since 1.12), not a list."""
    traits: bool = True
    """Summaries show traits (since 1.17)."""
    whole: bool = True
    """Summaries show all classes (since 1.27), not only those asked for."""
    tree: bool = True
    """Summaries are those of all providers of a tree, and show parent and root (since 1.29)."""
    mappings: bool = True
    """Candidates show which providers give which group (since 1.34)."""


NEWEST = Form()


class Rendering:
    """A reply that is written part by part."""

    def __init__(self, fleet: Fleet, asked: Iterable[str], form: Form = NEWEST) -> None:
        """Begin one without candidates; `asked` are the classes of all groups. The fleet must not change before `body`."""
        self._fleet = fleet
        self._form = form
        self._classes = None if form.whole else frozenset(asked)
        self._requests: list[bytes] = []
        self._summaries: list[bytes] = []
        self._shown: set[int] = set()
        self._texts: dict[tuple[tuple[str, int], ...], str] = {}

    def add(self, answer: Answer) -> None:
        """Write these candidates, and sum up the providers that were not shown before."""
        fleet, form = self._fleet, self._form
        if isinstance(answer, Alone):
            requests = _alone(fleet, answer, form)
            used: Iterable[int] = answer.rows
        else:
            requests = [_request(fleet, one, form, self._texts) for one in answer.candidates]
            used = dict.fromkeys(row for one in answer.candidates for row in one.allocations)
        rows = _with_trees(fleet, used) if form.tree and fleet.nested else used
        new = [row for row in rows if row not in self._shown] if self._shown else list(rows)
        self._shown.update(new)
        _go_on(self._requests, requests)
        if form == NEWEST:
            _go_on(self._summaries, _kept(fleet, new))
        else:
            _go_on(self._summaries, [_summary(fleet, row, form, self._classes) for row in new])

    def body(self) -> bytes:
        """The whole reply."""
        between = b'],"provider_summaries":{'
        return b"".join((b'{"allocation_requests":[', *self._requests, between, *self._summaries, b"}}"))


def _go_on(pieces: list[bytes], more: list[str]) -> None:
    """Go on with a list of JSON; `pieces` are joined only once, because the whole may be large."""
    if more:
        pieces.append((("," if pieces else "") + ",".join(more)).encode())


def _alone(fleet: Fleet, answer: Alone, form: Form) -> list[str]:
    uuids, resources = fleet.uuids, _resources(answer.resources)
    if not form.by_provider:
        after = f'"}},"resources":{resources}}}]}}'
        return [f'{{"allocations":[{{"resource_provider":{{"uuid":"{uuids[row]}{after}' for row in answer.rows]
    before = '{"allocations":{"'
    if not form.mappings:
        after = f'":{{"resources":{resources}}}}}}}'
        return [f"{before}{uuids[row]}{after}" for row in answer.rows]
    between = f'":{{"resources":{resources}}}}},"mappings":{{"{answer.suffix}":["'
    return [f'{before}{(uuid := uuids[row])}{between}{uuid}"]}}}}' for row in answer.rows]


def _request(fleet: Fleet, one: Candidate, form: Form, texts: dict[tuple[tuple[str, int], ...], str]) -> str:
    """One candidate; `texts` keeps the resources that were written already."""
    uuids, held = fleet.uuids, []
    for row, resources in one.allocations.items():
        key = tuple(resources.items())
        text = texts.get(key)
        if text is None:
            text = texts[key] = _resources(resources)
        if form.by_provider:
            held.append(f'"{uuids[row]}":{{"resources":{text}}}')
        else:
            held.append(f'{{"resource_provider":{{"uuid":"{uuids[row]}"}},"resources":{text}}}')
    if not form.by_provider:
        return f'{{"allocations":[{",".join(held)}]}}'
    if not form.mappings:
        return f'{{"allocations":{{{",".join(held)}}}}}'
    mappings = ",".join([f'"{suffix}":[{_listed(uuids, rows)}]' for suffix, rows in one.mappings.items()])
    return f'{{"allocations":{{{",".join(held)}}},"mappings":{{{mappings}}}}}'


def _listed(uuids: Sequence[str], rows: Sequence[int]) -> str:
    return ",".join([f'"{uuids[row]}"' for row in rows])


def _resources(resources: Resources) -> str:
    return "{" + ",".join(f'"{name}":{amount}' for name, amount in resources.items()) + "}"


def _with_trees(fleet: Fleet, rows: Iterable[int]) -> Iterable[int]:
    """The rows of all trees that these are in."""
    roots = dict.fromkeys(fleet.root_row(row) for row in rows)
    return [row for root in roots for row in fleet.tree(root)]


def _kept(fleet: Fleet, rows: Iterable[int]) -> list[str]:
    """The summaries of the newest form."""
    kept, summaries = fleet.fragments, []
    for row in rows:
        text = kept.get(row)
        if text is None:
            text = _summary(fleet, row, NEWEST, None)
            if len(kept) >= FRAGMENTS_MAX:
                del kept[next(iter(kept))]
            kept[row] = text
        summaries.append(text)
    return summaries


def _summary(fleet: Fleet, row: int, form: Form, classes: frozenset[str] | None) -> str:
    """One entry of `provider_summaries`; only of `classes`, where they are given."""
    stocks = ((name, fleet.shelves[name].stocks[row]) for name in fleet.classes_of[row])
    resources = ",".join(
        f'"{name}":{{"capacity":{stock.capacity},"used":{stock.used}}}'
        for name, stock in stocks
        if classes is None or name in classes
    )
    parts = [f'"resources":{{{resources}}}']
    if form.traits:
        parts.append(f'"traits":[{",".join(_quoted(names.traits_in_order(fleet.traits_of[row])))}]')
    if form.tree:
        parent = fleet.parents[row]
        parts.append(f'"parent_provider_uuid":{"null" if parent is None else _quote(parent)}')
        parts.append(f'"root_provider_uuid":"{fleet.roots[row]}"')
    return f'"{fleet.uuids[row]}":{{{",".join(parts)}}}'


def _quoted(names: Iterable[str]) -> list[str]:
    return [_quote(name) for name in names]


def _quote(name: str) -> str:
    """A UUID or a name of a trait: nothing in it is ever escaped in JSON."""
    return f'"{name}"'
