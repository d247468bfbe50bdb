"""PCI devices by alias: what an operator calls them, and what a flavor asks of them. Pure.

Source: Nova administrator guide, "Attaching physical PCI devices to guests", and there "PCI tracking in Placement": each device
is a provider of its own, and each device that is asked for a group.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from kilonova.kernel.errors import Invalid
from kilonova.objects.pci import device_class
from kilonova.placement.shapes import Group
from kilonova.scheduler.errors import BadExtraSpec

KEY = "pci_passthrough:alias"
AFFINITY = "hw:pci_numa_affinity_policy"
DEVICE = "pci-"
"""How the suffixes of devices begin."""
DEVICES_MAX = 32
"""Most devices of one server."""
_FORM = re.compile(
    r"(?P<alias>[A-Za-z0-9_.-]{1,64})="
    r"(?:(?P<vendor>[0-9A-Fa-f]{4}):(?P<product>[0-9A-Fa-f]{4})|(?P<class>CUSTOM_[A-Z0-9_]+))(?P<traits>(?:\+[A-Z0-9_]+)*)"
)


class BadAlias(Invalid):
    """[pci] alias: '{text}' is not NAME=VENDOR:PRODUCT or NAME=CUSTOM_CLASS, with +TRAIT after it as wanted."""

    code = "bad-pci-alias"


class DoubleAlias(Invalid):
    """[pci] alias: {name} is there twice. A device is asked for by one class."""

    code = "double-pci-alias"


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """What one alias stands for."""

    resource_class: str
    traits: tuple[str, ...] = ()


Aliases = Mapping[str, Alias]


def aliases_of(texts: Sequence[str]) -> dict[str, Alias]:
    """The aliases that are configured, by name. Raises `BadAlias`, `DoubleAlias`."""
    found: dict[str, Alias] = {}
    for text in texts:
        form = _FORM.fullmatch(text.strip())
        if form is None:
            raise BadAlias(text=text)
        if form["alias"] in found:
            raise DoubleAlias(name=form["alias"])
        kind = form["class"] or device_class(form["vendor"], form["product"])
        found[form["alias"]] = Alias(resource_class=kind, traits=tuple(form["traits"].split("+")[1:]))
    return found


def device_groups(extra_specs: Mapping[str, str], aliases: Aliases) -> dict[str, Group]:
    """A group for each device that a flavor asks for, by suffix: `pci_passthrough:alias=gpu:2,nic:1`. Raises `BadExtraSpec`."""
    said = extra_specs.get(KEY)
    if not said:
        return {}
    groups: dict[str, Group] = {}
    for part in said.split(","):
        name, colon, count = part.strip().partition(":")
        if not count.isdecimal() or not colon or int(count) == 0:
            raise BadExtraSpec(key=KEY, value=said, reason="it must be NAME:COUNT, with commas between several")
        if name not in aliases:
            raise BadExtraSpec(key=KEY, value=said, reason=f"PCI alias {name} is not defined")
        alias = aliases[name]
        required = tuple(frozenset({trait}) for trait in alias.traits)
        for number in range(min(int(count), DEVICES_MAX + 1)):
            group = Group(resources={alias.resource_class: 1}, required=required)
            groups[f"{DEVICE}{name}-{number}"] = group
    if len(groups) > DEVICES_MAX:
        raise BadExtraSpec(key=KEY, value=said, reason=f"a server may have {DEVICES_MAX} devices at most")
    return groups


def near(extra_specs: Mapping[str, str], cells: Sequence[str], devices: Sequence[str]) -> tuple[frozenset[str], ...]:
    """What has to be in one subtree: each device and the guest's only cell, where the flavor requires it.

    Args:
        extra_specs: of the flavor.
        cells: the suffixes of the guest's NUMA nodes.
        devices: those of its devices.

    Raises:
        BadExtraSpec: it can't be required.
    """
    policy = extra_specs.get(AFFINITY, "legacy")
    if policy not in {"required", "preferred", "legacy"}:
        raise BadExtraSpec(key=AFFINITY, value=policy, reason="allowed: required, preferred, legacy")
    if policy != "required" or not devices or not cells:
        return ()
    if len(cells) > 1:
        raise BadExtraSpec(key=AFFINITY, value=policy, reason="it can be required for guests with one NUMA node only")
    return tuple(frozenset({cells[0], device}) for device in devices)


def device_name(host: str, address: str) -> str:
    """The name of the provider that is a device."""
    return f"{host}_{address}"


def addresses(groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The addresses of the devices among what a server was given: names of providers by suffix."""
    found = (provider for suffix, names in groups.items() if suffix.startswith(DEVICE) for provider in names)
    return tuple(sorted(name.rpartition("_")[2] for name in found))
