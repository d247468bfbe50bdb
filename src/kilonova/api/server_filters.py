"""The filters of server lists: what each is called, what it asks for, and since when everybody may use it.

A filter that is not the caller's to use is taken no notice of, except by those whom policy lets use all of them
(`os_compute_api:servers:allow_all_filters`). Source: API reference, "List servers".
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from kilonova.api import times
from kilonova.api.query import Asked, BadParameter
from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.kernel.ids import ServerId
from kilonova.kernel.versions import Level
from kilonova.objects.guest import PowerState
from kilonova.objects.server import TaskState, VmState, states_of, tasks_shown_apart
from kilonova.objects.server_query import StateFilter

PATTERN_MAX = 255
"""Longest regular expression taken, in characters."""
NO_STATE: tuple[StateFilter, ...] = ()
"""A condition on states that no server meets."""

Fields = dict[str, Any]
"""Conditions, by the names of fields of `ServerQuery`."""


class DeletedForAdmins(Forbidden):
    """Only administrators may list deleted instances"""

    code = "deleted-for-admins"


@dataclass(frozen=True)
class Filter:
    """One filter."""

    name: str
    """Of the query parameter."""
    field: str
    """Of `ServerQuery`; empty where `read` says which."""
    read: Callable[[Asked, str], Any]
    everybody: str | None = None
    """The change since which everybody may use it; "always", or None for administrators only."""

    def open_to_everybody(self, level: Level) -> bool:
        """Whether callers without further rights may use it at `level`."""
        return self.everybody == "always" or (self.everybody is not None and level.has(self.everybody))


def read(filters: Asked, level: Level, *, all_filters: bool) -> Fields:
    """The conditions that `filters` ask for. Raises `Invalid`, and `Forbidden` for deleted servers."""
    fields: Fields = {}
    for each in usable(level, all_filters=all_filters):
        if each.name in filters:
            value = each.read(filters, each.name)
            fields.update({each.field: value} if each.field else value)
    if "status" in filters:
        fields.update(_of_statuses(filters["status"], level, all_filters=all_filters))
    _bound_times(fields)
    return fields


def usable(level: Level, *, all_filters: bool) -> Iterator[Filter]:
    """The filters that count for a caller."""
    return (each for each in FILTERS if all_filters or each.open_to_everybody(level))


def _of_statuses(statuses: list[str], level: Level, *, all_filters: bool) -> Fields:
    """The states that are shown as one of `statuses`. From 2.38 on there must be one."""
    found = []
    for shown in statuses:
        for vm_state, tasks in states_of(shown.upper()):
            apart = tasks_shown_apart(vm_state) if tasks is None else frozenset()
            found.append(StateFilter(vm_state=vm_state, tasks=tasks, not_tasks=apart))
    if not found and level.has("server-list-status-strict"):
        raise Invalid(reason="Invalid status value")
    if {state.vm_state for state in found} != {VmState.DELETED}:
        return {"states": tuple(found)}
    if not all_filters:
        raise DeletedForAdmins
    return {"states": tuple(found), "deleted": True}


def _bound_times(fields: Fields) -> None:
    """Both ends of the time of the last change, which shows deleted servers too. Raises `Invalid`."""
    if "changes_before" not in fields:
        return
    if fields["changes_before"] < fields.setdefault("changes_since", 0.0):
        raise Invalid(reason="The value of changes-since must be less than or equal to changes-before.")


def _pattern(filters: Asked, name: str) -> str | None:
    """A regular expression; an empty one asks for nothing. Raises `BadParameter`."""
    text = filters.one(name) or ""
    if len(text) > PATTERN_MAX:
        raise BadParameter(name=name, value=text[:100], reason=f"It is longer than {PATTERN_MAX} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # a pattern that Python will read otherwise one day is the user's
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadParameter(name=name, value=text[:100], reason="It is not a regular expression.") from error
    return text or None


def _time(filters: Asked, name: str) -> float:
    return times.parse(filters.one(name) or "", name)


def _tags(filters: Asked, name: str) -> tuple[str, ...]:
    return tuple(sorted({tag for tag in (filters.one(name) or "").split(",") if tag}))


def _ids(filters: Asked, name: str) -> tuple[ServerId, ...]:
    return tuple(ServerId(each) for each in filters[name])


def _metadata(filters: Asked, name: str) -> tuple[tuple[str, str], ...]:
    """`metadata={"key": "value"}`; several must all hold. Raises `BadParameter`."""
    pairs: dict[str, str] = {}
    for text in filters[name]:
        try:
            pairs |= msgspec.json.decode(text, type=dict[str, str])
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise BadParameter(name=name, value=text[:100], reason="It must be a JSON object of texts.") from error
    return tuple(sorted(pairs.items()))


def _deleted(filters: Asked, name: str) -> bool:
    """Whether (soft-)deleted servers are asked for; a word that is no truth value asks for living ones."""
    return (filters.one(name) or "").lower() in {"1", "t", "true", "on", "y", "yes"}


def _vm_states(filters: Asked, name: str) -> tuple[StateFilter, ...]:
    known = {state.value for state in VmState}
    return tuple(StateFilter(vm_state=VmState(text)) for text in filters[name] if text in known)


def _task_state(filters: Asked, name: str) -> Fields:
    text = filters.one(name)
    return {"task_state": TaskState(text)} if text in {state.value for state in TaskState} else {"states": NO_STATE}


def _power_state(filters: Asked, name: str) -> Fields:
    number = filters.whole(name)
    return {"power_state": PowerState(number)} if number in {one.value for one in PowerState} else {"states": NO_STATE}


def _disk_config(filters: Asked, name: str) -> str:
    """`AUTO` or `MANUAL`. Raises `BadParameter`."""
    text = (filters.one(name) or "").upper()
    if text not in {"AUTO", "MANUAL"}:
        raise BadParameter(name=name, value=text[:100], reason="It must be AUTO or MANUAL.")
    return text


_MORE = "server-list-filters-for-all"
FILTERS = (
    Filter("name", "name_like", _pattern, "always"),
    Filter("image", "image_id", Asked.one, "always"),
    Filter("flavor", "flavor_id", Asked.one, "always"),
    Filter("reservation_id", "reservation_id", Asked.one, "always"),
    Filter("ip", "ip_like", _pattern, "always"),
    Filter("ip6", "ip6_like", _pattern, "server-list-ip6"),
    Filter("changes-since", "changes_since", _time, "always"),
    Filter("changes-before", "changes_before", _time, "always"),
    Filter("tags", "tags_all", _tags, "always"),
    Filter("tags-any", "tags_any", _tags, "always"),
    Filter("not-tags", "not_tags_all", _tags, "always"),
    Filter("not-tags-any", "not_tags_any", _tags, "always"),
    Filter("locked", "locked", Asked.truth, "always"),
    Filter("hostname", "hostname_like", _pattern, "server-hostname-for-all"),
    Filter("availability_zone", "availability_zone", Asked.one, _MORE),
    Filter("config_drive", "config_drive", Asked.truth, _MORE),
    Filter("key_name", "key_name", Asked.one, _MORE),
    Filter("created_at", "created_at", _time, _MORE),
    Filter("launched_at", "launched_at", _time, _MORE),
    Filter("progress", "progress", Asked.whole, _MORE),
    Filter("user_id", "user_id", Asked.one, _MORE),
    Filter("vm_state", "states", _vm_states, _MORE),
    Filter("task_state", "", _task_state, _MORE),
    Filter("power_state", "", _power_state, _MORE),
    Filter("display_name", "name_like", _pattern),
    Filter("description", "description_like", _pattern),
    Filter("display_description", "description_like", _pattern),
    Filter("host", "host", Asked.one),
    Filter("node", "host", Asked.one),
    Filter("image_ref", "image_id", Asked.one),
    Filter("uuid", "ids", _ids),
    Filter("metadata", "metadata", _metadata),
    Filter("access_ip_v4", "access_ip_v4", Asked.one),
    Filter("access_ip_v6", "access_ip_v6", Asked.one),
    Filter("root_device_name", "root_device_name", Asked.one),
    Filter("launch_index", "launch_index", Asked.whole),
    Filter("deleted", "deleted", _deleted),
    Filter("soft_deleted", "soft_deleted", _deleted),
    Filter("terminated_at", "terminated_at", _time),
    Filter("locked_by", "locked_by", Asked.one),
    Filter("auto_disk_config", "disk_config", _disk_config),
    Filter("kernel_id", "kernel_id", Asked.one),
    Filter("ramdisk_id", "ramdisk_id", Asked.one),
)
"""All but `status`, which takes precedence over the states, and those that say whose servers are asked for."""
