"""Names of resource classes and traits: the ecosystem's standard ones, and custom ones."""

import re
from collections.abc import Iterable
from functools import cache

from kilonova.kernel.errors import Invalid

NAME_MAX = 255

_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]+")


class BadName(Invalid):
    """The {kind} name '{name}' is invalid: it must begin with CUSTOM_, hold only A-Z, 0-9 and _, and be at most 255 long."""

    code = "bad-name"


@cache
def standard_classes() -> tuple[str, ...]:
    """The resource classes of os-resource-classes, in its order."""
    import os_resource_classes  # noqa: PLC0415 - costs, and is needed only when a name is new

    return tuple(os_resource_classes.STANDARDS)


@cache
def standard_class_set() -> frozenset[str]:
    """`standard_classes` for looking up."""
    return frozenset(standard_classes())


def in_order(classes: Iterable[str]) -> list[str]:
    """Resource classes as they are listed: standard ones in their order, then custom ones by name."""
    ranks = {name: rank for rank, name in enumerate(standard_classes())}
    return sorted(classes, key=lambda name: (ranks.get(name, len(ranks)), name))


def traits_in_order(traits: Iterable[str]) -> list[str]:
    """Traits as they are listed: standard ones by name, then custom ones by name."""
    return sorted(traits, key=lambda name: (name.startswith("CUSTOM_"), name))


@cache
def standard_traits() -> frozenset[str]:
    """The traits of os-traits."""
    import os_traits  # noqa: PLC0415 - costs, and is needed only when a name is new

    return frozenset(os_traits.get_traits())


def is_custom(name: str) -> bool:
    """Whether `name` is in the namespace of custom names, and well-formed."""
    return len(name) <= NAME_MAX and _CUSTOM.fullmatch(name) is not None


def require_custom(kind: str, name: str) -> None:
    """Raise `BadName` unless `is_custom`."""
    if not is_custom(name):
        raise BadName(kind=kind, name=name)


def not_standard(names: Iterable[str], standard: Iterable[str]) -> list[str]:
    """Those of `names` that are not in `standard`, sorted."""
    return sorted(set(names) - set(standard))
