"""ImagePropertiesFilter: the architecture, hypervisor and way of running that the image was made for."""

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

_ALIASES: Mapping[str, str] = MappingProxyType(
    {"amd64": "x86_64", "x64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "arm64": "aarch64"}
)
_ALSO_RUNS: Mapping[str, str] = MappingProxyType({"x86_64": "i686", "aarch64": "armv7l"})
_HYPERVISORS: Mapping[str, frozenset[str]] = MappingProxyType({"qemu": frozenset({"qemu", "kvm"})})
"""What images call the hypervisors of hosts; others by the same name."""
_MODES = frozenset({"hvm"})
_COMPARE: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "==": operator.eq,
        "!=": operator.ne,
    }
)


def image_properties(request: ServerRequest) -> Rule | None:
    """Only hosts that run what the image's `hw_architecture`, `img_hv_type`, `hw_vm_mode` and version say, as far as set."""
    rules = [
        _architecture(_first(request, "hw_architecture", "architecture")),
        _hypervisor(_first(request, "img_hv_type", "hypervisor_type")),
        _mode(_first(request, "hw_vm_mode", "vm_mode")),
        _version(_first(request, "img_hv_requested_version", "hypervisor_version_requires")),
    ]
    asked = [rule for rule in rules if rule is not None]
    return (lambda host: all(rule(host) for rule in asked)) if asked else None


def _first(request: ServerRequest, name: str, old_name: str) -> str | None:
    properties = request.image_properties
    return properties.get(name) or properties.get(old_name) or None


def _architecture(wanted: str | None) -> Rule | None:
    if wanted is None:
        return None
    canonical = _ALIASES.get(wanted.lower(), wanted.lower())

    def runs(host: HostState) -> bool:
        own = str(host.cpu_info.get("arch", ""))
        return canonical in {own, _ALSO_RUNS.get(own)}

    return runs


def _hypervisor(wanted: str | None) -> Rule | None:
    if wanted is None:
        return None
    canonical = wanted.lower()

    def is_it(host: HostState) -> bool:
        own = host.hypervisor_type.lower()
        return canonical in _HYPERVISORS.get(own, {own})

    return is_it


def _mode(wanted: str | None) -> Rule | None:
    if wanted is None:
        return None
    known = wanted.lower() in _MODES
    return lambda _host: known


def _version(wanted: str | None) -> Rule | None:
    """`>=6.0, <9`: every comparison must hold; one that can't be read holds for no host."""
    if wanted is None:
        return None
    found = [re.fullmatch(r"\s*([<>=!]{1,2})\s*(\d+(?:\.\d+){0,2})\s*", part) for part in wanted.split(",")]
    terms = [(_COMPARE.get(one[1]), _triple(one[2])) for one in found if one is not None]
    readable = len(terms) == len(found)

    def fits(host: HostState) -> bool:
        version = host.hypervisor_version
        own = (version // 1_000_000, version // 1_000 % 1_000, version % 1_000)
        return readable and all(compare is not None and compare(own, term) for compare, term in terms)

    return fits


def _triple(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))
