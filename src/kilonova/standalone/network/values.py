"""Checks of single values. Pure.

Each takes what a client sent and returns what is stored, or raises `BadValue` with the reason.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova.kernel.ids import is_uuid

Check = Callable[[Any], Any]

NAME_MAX = 255
INTEGER_MAX = 2**31 - 1
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadValue(ValueError):
    """A value can't be taken; the text says why."""


def text(maximum: int = NAME_MAX) -> Check:
    """A string of at most `maximum` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise BadValue(f"'{value}' is not a valid string")
        if len(value) > maximum:
            raise BadValue(f"'{value[:40]}...' exceeds maximum length of {maximum}")
        if "\0" in value:
            raise BadValue("it contains a null character")
        return value

    return check


def words(maximum: int = NAME_MAX) -> Check:
    """A string that is not empty."""
    string = text(maximum)

    def check(value: Any) -> str:
        if value == "":
            raise BadValue("'' is not a valid string: it must not be empty")
        return str(string(value))

    return check


def text_or_empty(value: Any) -> str:
    """A string; null stands for the empty one."""
    return "" if value is None else str(text()(value))


def boolean(value: Any) -> bool:
    """A boolean, or what Neutron takes for one."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool | int | str) and str(value).lower() in known:
        return known[str(value).lower()]
    raise BadValue(f"'{value}' cannot be converted to boolean")


def integer(low: int, high: int) -> Check:
    """An integer from `low` to `high`, also written as a string."""

    def check(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value)):
            raise BadValue(f"'{value}' is not an integer")
        if not low <= int(value) <= high:
            raise BadValue(f"'{value}' is not in the range {low} to {high}")
        return int(value)

    return check


def one_of(*choices: Any) -> Check:
    """One of a few values."""

    def check(value: Any) -> Any:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise BadValue(f"'{value}' is not in {list(choices)}")
        return value

    return check


def or_null(inner: Check) -> Check:
    """Null, or what `inner` takes."""
    return lambda value: None if value is None else inner(value)


def uuid(value: Any) -> str:
    """A UUID."""
    if not is_uuid(value):
        raise BadValue(f"'{value}' is not a valid UUID")
    return str(value)


def several(item: Check, maximum: int) -> Check:
    """A list of at most `maximum` different items; null stands for an empty one."""

    def check(value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadValue(f"'{value}' is not a list")
        if len(value) > maximum:
            raise BadValue(f"it has {len(value)} items, and at most {maximum} are allowed")
        items = [item(one) for one in value]
        if any(one in items[:at] for at, one in enumerate(items)):
            raise BadValue("it has duplicate items")
        return items

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these keys and no others."""
    checks = {**required, **(optional or {})}

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadValue(f"'{value}' is not an object")
        unknown = sorted(set(value) - set(checks))
        missing = [key for key in required if key not in value]
        if unknown or missing:
            raise BadValue(f"it must have the keys {sorted(checks)}; unknown: {unknown}, missing: {missing}")
        return {key: checks[key](one) for key, one in value.items()}

    return check


def small_object(value: Any) -> dict[str, Any]:
    """An object of any content, of at most 4095 bytes; null stands for an empty one."""
    found = {} if value is None else value
    if not isinstance(found, dict):
        raise BadValue(f"'{value}' is not an object")
    if len(str(found)) > 4095:
        raise BadValue("it is larger than 4095 bytes")
    return found


def mac(value: Any) -> str:
    """A unicast MAC address, in lower case with colons."""
    address = value.lower().replace("-", ":") if isinstance(value, str) else ""
    if not _MAC.fullmatch(address):
        raise BadValue(f"'{value}' is not a valid MAC address")
    if address == "00:00:00:00:00:00" or int(address[:2], 16) & 1:
        raise BadValue(f"'{value}' is not the address of one interface")
    return address


def address(value: Any) -> str:
    """An IP address, in its canonical form."""
    return str(parsed_address(value))


def parsed_address(value: Any) -> Address:
    """An IP address. Forms that programs read differently (leading zeros, zones, plain integers) are refused."""
    try:
        if isinstance(value, str) and "%" not in value:
            return ipaddress.ip_address(value)
    except ValueError:
        pass
    raise BadValue(f"'{value}' is not a valid IP address")


def cidr(value: Any) -> str:
    """A network in CIDR notation, with its host bits zero."""
    return str(parsed_cidr(value))


def parsed_cidr(value: Any) -> Network:
    """A network in CIDR notation; one with host bits set is refused with the network that was meant."""
    if not isinstance(value, str) or "/" not in value or "%" in value or not value.rpartition("/")[2].isdigit():
        raise BadValue(f"'{value}' isn't a recognized IP subnet cidr, e.g. 10.0.0.0/24")
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise BadValue(f"'{value}' isn't a recognized IP subnet cidr: {error}") from None
    given = parsed_address(value.partition("/")[0])
    if given != network.network_address:
        raise BadValue(f"'{value}' isn't a recognized IP subnet cidr, '{network}' is recommended")
    return network


def prefix(value: Any) -> str | None:
    """An address or network for a rule; an address stands for the network of it alone, anywhere for null. Host bits stay."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and "/" not in value:
        value = f"{address(value)}/{parsed_address(value).max_prefixlen}"
    if not isinstance(value, str) or "%" in value or not value.rpartition("/")[2].isdigit():
        raise BadValue(f"'{value}' is neither an address nor a network, e.g. 10.0.0.0/24")
    try:
        return str(ipaddress.ip_interface(value))
    except ValueError as error:
        raise BadValue(f"'{value}' is neither an address nor a network: {error}") from None


def address_or_cidr(value: Any) -> str:
    """An address or a network, each in its canonical form."""
    return cidr(value) if isinstance(value, str) and "/" in value else address(value)


def host_name(value: Any) -> str:
    """The name of a hypervisor host; null or empty for none."""
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _HOST_NAME.fullmatch(value.replace("_", "-")):
        raise BadValue(f"'{str(value)[:80]}' is not a valid host name")
    return value


def tag(value: Any) -> str:
    """A tag: 1 to 255 characters without a comma or a slash, which filters and paths could not express."""
    found = words()(value)
    if "," in found or "/" in found:
        raise BadValue(f"'{found}' contains a comma or a slash")
    return str(found)


def canonical(check: Check, items: Sequence[Any]) -> list[str]:
    """Filter values in the form in which they are stored; what is no such value stays and matches nothing."""
    found = []
    for item in items:
        try:
            found.append(check(item))
        except BadValue:
            found.append(item)
    return found
