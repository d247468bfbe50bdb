"""The scheduler as it is configured, with the filters and weighers of other packages that the configuration names."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from kilonova.kernel.errors import Invalid
from kilonova.placement.placement import Placement
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler import filters, weighers
from kilonova.scheduler.filters import Filter
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.pci import aliases_of
from kilonova.scheduler.prefilters import prefilters
from kilonova.scheduler.service import Scheduler
from kilonova.scheduler.weighers import Weigher, weight_setting

FILTERS = "kilonova.scheduler.filters"
WEIGHERS = "kilonova.scheduler.weighers"
"""The groups of entry points: each point is called what its filter or weigher is called, and names that object."""


Plugin = TypeVar("Plugin", Filter, Weigher)


class NoSuchWeigher(Invalid):
    """[scheduler] custom_weighers: no entry point of kilonova.scheduler.weighers is called '{name}'."""

    code = "no-such-weigher"


class BadPlugin(Invalid):
    """The entry point {name} of {group} can't be used: {reason}"""

    code = "bad-plugin"


def scheduler_of(
    options: SchedulerOptions, placement: Placement, runtime: Runtime, aliases: Sequence[str] = ()
) -> Scheduler:
    """The scheduler over `placement`; `aliases` are those of PCI devices as they are configured.

    Raises `Invalid` for names that nothing has, and plugins that can't be used.
    """
    chosen = filters_of(options), weighers_of(options), prefilters(options)
    return Scheduler(placement, runtime, *chosen, aliases_of(aliases))


def filters_of(options: SchedulerOptions) -> tuple[Filter, ...]:
    """The filters that are switched on, in order. Raises `NoSuchFilter`, `BadPlugin`."""
    ours = {*filters.available(options), *(one.name for one in (*filters.ALWAYS_FIRST, *filters.ALWAYS_LAST))}
    found = _plugins(FILTERS, set(options.enabled_filters) - ours, Filter)
    return filters.enabled(options, {name: one._replace(name=name) for name, one in found.items()})


def weighers_of(options: SchedulerOptions) -> tuple[Weigher, ...]:
    """Ours, and those of other packages that are named. Raises `NoSuchWeigher`, `BadWeightSetting`, `BadPlugin`."""
    wanted = dict(
        weight_setting("custom_weighers", text) if "=" in text else (text, None) for text in options.custom_weighers
    )
    found = _plugins(WEIGHERS, wanted, Weigher)
    chosen: list[Weigher] = []
    for name, multiplier in wanted.items():
        if name not in found:
            raise NoSuchWeigher(name=name)
        own = found[name].multiplier if multiplier is None else multiplier
        chosen.append(found[name]._replace(name=name, multiplier=own))
    return (*weighers.enabled(options), *chosen)


def _plugins(group: str, names: Iterable[str], kind: type[Plugin]) -> dict[str, Plugin]:
    """Those of the entry points called `names` that there are. Looking for them costs, so nobody looks for none."""
    found: dict[str, Plugin] = {}
    if not (wanted := sorted(names)):
        return found
    from importlib.metadata import entry_points  # noqa: PLC0415 - not in every cloud

    for point in entry_points(group=group):
        if point.name not in wanted:
            continue
        try:
            plugin = point.load()
        except (ImportError, AttributeError) as error:
            raise BadPlugin(name=point.name, group=group, reason=str(error)) from error
        if not isinstance(plugin, kind):
            raise BadPlugin(name=point.name, group=group, reason=f"{point.value} is no {kind.__name__}")
        found[point.name] = plugin
    return found
