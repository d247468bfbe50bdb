"""The resources that quotas are about, as bodies of quota sets and quota classes name them."""

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType, structs

from kilonova.api.fields import QuotaValue
from kilonova.api.shapes import WHOLE, obj

Value = QuotaValue | UnsetType


class QuotaValues(Struct, forbid_unknown_fields=True):
    """Limits to set; what is not named stays."""

    instances: Value = UNSET
    cores: Value = UNSET
    ram: Value = UNSET
    metadata_items: Value = UNSET
    key_pairs: Value = UNSET
    server_groups: Value = UNSET
    server_group_members: Value = UNSET
    injected_files: Value = UNSET
    injected_file_content_bytes: Value = UNSET
    injected_file_path_bytes: Value = UNSET
    fixed_ips: Value = UNSET
    floating_ips: Value = UNSET
    security_groups: Value = UNSET
    security_group_rules: Value = UNSET


QUOTAS = structs.fields(QuotaValues)
LIMITS = {field.name: WHOLE for field in QUOTAS}
"""As they are shown."""
USED = {field.name: obj({"limit": WHOLE, "in_use": WHOLE, "reserved": WHOLE}) for field in QUOTAS}
"""As they are shown with what is used of them."""


def values_of(asked: QuotaValues, known: Mapping[str, int]) -> dict[str, int]:
    """The limits to set, of the resources that are `known` here."""
    named = {resource: getattr(asked, resource) for resource in known}
    return {resource: int(value) for resource, value in named.items() if value is not UNSET}
