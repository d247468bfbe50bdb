"""What a flavor and an image ask of placement: amounts, traits, and groups that one provider has to give. Pure.

Source: Nova user guide, "Flavors", extra specs `resources`, `trait` and `group_policy`; `trait` also as a property of images.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from kilonova.objects.flavor import Flavor
from kilonova.placement.shapes import Group, Resources
from kilonova.scheduler.errors import BadExtraSpec
from kilonova.scheduler.numa import NumaWish, numa_of
from kilonova.scheduler.pci import Aliases, device_groups, near

UNNAMED = ""
NO_ALIASES: Aliases = MappingProxyType({})
_SUFFIX = r"(\d*|_[A-Za-z0-9_-]{1,64})"
_ALLOWED = ("required", "forbidden")
_POLICIES = ("isolate", "none")
Specs = Mapping[str, str]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of placement, by the names that it has there."""

    resources: Resources
    """Of the host as a whole."""
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    """Traits of the host."""
    alternatives: tuple[Mapping[str, Group], ...] = ()
    """As of `CandidateQuery`, as is the rest."""
    isolate: bool = False
    apart: frozenset[str] = frozenset()
    same_subtree: tuple[frozenset[str], ...] = ()
    numa: NumaWish | None = None
    """The topology that is among the groups."""


def wishes_of(
    flavor: Flavor,
    image_properties: Specs = MappingProxyType({}),
    aliases: Aliases = NO_ALIASES,
    *,
    boots_from_volume: bool = False,
) -> Wishes:
    """What a server of this flavor and image asks for.

    `aliases` are those of PCI devices. The specs `resources:CLASS` and `trait:NAME` are about the host, those of numbered
    groups, `resources1:CLASS` or `trait_GPU:NAME`, about one provider of its tree. Images may only require traits.

    Raises:
        BadExtraSpec: something can't be understood or goes with nothing else.
    """
    amounts = _by_suffix(_amounts(flavor.extra_specs))
    required = _by_suffix(
        one for source in (flavor.extra_specs, image_properties) for one in _traits(source, "required")
    )
    forbidden = _by_suffix(_traits(flavor.extra_specs, "forbidden"))
    _check_images(image_properties)
    numa = numa_of(flavor, image_properties)
    groups = {
        suffix: _group(suffix, amounts, required, forbidden) for suffix in _suffixes(amounts, required, forbidden)
    }
    devices = device_groups(flavor.extra_specs, aliases)
    cells = numa.suffixes if numa else ()
    return Wishes(
        resources=_whole(flavor, amounts.get(UNNAMED, {}), numa, boots_from_volume=boots_from_volume),
        required=frozenset(required.get(UNNAMED, ())) | (numa.required if numa else frozenset()),
        forbidden=frozenset(forbidden.get(UNNAMED, ())) | (numa.forbidden if numa else frozenset()),
        alternatives=_alternatives({**groups, **devices}, numa),
        isolate=_isolates(flavor.extra_specs),
        apart=frozenset((*cells, *devices)),
        same_subtree=near(flavor.extra_specs, cells, tuple(devices)),
        numa=numa,
    )


def resources_of(flavor: Flavor, *, boots_from_volume: bool = False) -> Resources:
    """What a flavor takes of a host as a whole by resource class; nothing for the root disk of a server that boots from a volume.

    The extra spec `resources:CLASS=N` takes the place of what the size says, and N = 0 leaves the class out (Nova,
    "Flavors", `resources`). Swap counts in whole GB, rounded up. Raises `BadExtraSpec`.
    """
    amounts = _by_suffix(_amounts(flavor.extra_specs)).get(UNNAMED, {})
    return _whole(flavor, amounts, numa_of(flavor, {}), boots_from_volume=boots_from_volume)


def specs(source: Specs, kind: str) -> Iterator[tuple[str, str, str, str]]:
    """The specs `kind:NAME` and `kindSUFFIX:NAME` as (key, suffix, NAME, value), by key."""
    for key, value in sorted(source.items()):
        prefix, _, name = key.partition(":")
        found = re.fullmatch(kind + _SUFFIX, prefix)
        if found is not None and name:
            yield key, found[1], name, value


def _amounts(source: Specs) -> Iterator[tuple[str, str, int]]:
    for key, suffix, name, value in specs(source, "resources"):
        if not value.isdecimal():
            raise BadExtraSpec(key=key, value=value, reason="the amount must be a whole number, 0 or more")
        yield suffix, name, int(value)


def _traits(source: Specs, wish: str) -> Iterator[tuple[str, str, int]]:
    for key, suffix, name, value in specs(source, "trait"):
        if value not in _ALLOWED:
            raise BadExtraSpec(key=key, value=value, reason=f"allowed: {', '.join(_ALLOWED)}")
        if value == wish:
            yield suffix, name, 1


def _check_images(image_properties: Specs) -> None:
    for key, _, _, value in specs(image_properties, "trait"):
        if value != "required":
            raise BadExtraSpec(key=key, value=value, reason="allowed: required")


def _by_suffix(found: Iterator[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    by_suffix: dict[str, dict[str, int]] = {}
    for suffix, name, amount in found:
        by_suffix.setdefault(suffix, {})[name] = amount
    return by_suffix


def _suffixes(*found: Mapping[str, object]) -> list[str]:
    return sorted({suffix for one in found for suffix in one} - {UNNAMED})


def _group(
    suffix: str,
    amounts: Mapping[str, Mapping[str, int]],
    required: Mapping[str, Mapping[str, int]],
    forbidden: Mapping[str, Mapping[str, int]],
) -> Group:
    wanted = {name: amount for name, amount in amounts.get(suffix, {}).items() if amount > 0}
    if not wanted:
        wishes = (
            (wish, trait)
            for wish, of in (("required", required), ("forbidden", forbidden))
            for trait in of.get(suffix, ())
        )
        wish, trait = next(wishes, ("0", ""))
        key = f"trait{suffix}:{trait}" if trait else f"resources{suffix}:{next(iter(amounts[suffix]))}"
        raise BadExtraSpec(key=key, value=wish, reason=f"no resources{suffix}:CLASS goes with it")
    return Group(
        resources=wanted,
        required=tuple(frozenset({trait}) for trait in sorted(required.get(suffix, ()))),
        forbidden=frozenset(forbidden.get(suffix, ())),
    )


def _alternatives(groups: Mapping[str, Group], numa: NumaWish | None) -> tuple[Mapping[str, Group], ...]:
    if numa is not None:
        return tuple({**groups, **cells} for cells in numa.alternatives)
    return (groups,) if groups else ()


def _whole(
    flavor: Flavor, overrides: Mapping[str, int], numa: NumaWish | None, *, boots_from_volume: bool
) -> dict[str, int]:
    """What is asked of the host as a whole; CPUs and memory are asked of its nodes where there is a topology."""
    swap_gb = -(-flavor.swap_mb // 1024)
    found = {
        "VCPU": 0 if numa else flavor.vcpus,
        "MEMORY_MB": 0 if numa else flavor.memory_mb,
        "DISK_GB": (0 if boots_from_volume else flavor.disk_gb) + flavor.ephemeral_gb + swap_gb,
        **overrides,
    }
    return {name: amount for name, amount in found.items() if amount > 0}


def _isolates(extra_specs: Specs) -> bool:
    policy = extra_specs.get("group_policy", "none")
    if policy not in _POLICIES:
        raise BadExtraSpec(key="group_policy", value=policy, reason=f"allowed: {', '.join(_POLICIES)}")
    return policy == "isolate"
