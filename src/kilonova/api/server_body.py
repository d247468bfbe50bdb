"""The bodies of requests that create and update servers, with every field of every microversion.

The changes of the shapes `server_create` and `server_update` say since when, and until when, each field is known.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from kilonova.api.fields import HostField, Name, Positive, Truth
from kilonova.api.server_fields import (
    AnyIp,
    Description,
    DeviceTag,
    DiskConfig,
    FlavorRef,
    GuestHostname,
    ImageRef,
    IPv4,
    IPv6,
    Metadata,
    Tags,
    TrustedCertificates,
    UserData,
    Uuid,
)


class NetworkItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `networks`: a network, or a port that exists."""

    uuid: str | UnsetType = UNSET
    port: Uuid | None = None
    fixed_ip: AnyIp | UnsetType = UNSET
    tag: DeviceTag | UnsetType = UNSET


class SecurityGroupItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `security_groups`."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = "default"


class FileItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `personality`."""

    path: str
    contents: str


class BlockDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `block_device_mapping_v2`."""

    source_type: Literal["volume", "image", "snapshot", "blank"] | UnsetType = UNSET
    destination_type: Literal["local", "volume"] | UnsetType = UNSET
    uuid: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    image_id: Uuid | UnsetType = UNSET
    boot_index: int | str | None = None
    guest_format: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    device_type: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    disk_bus: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    device_name: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    virtual_name: Annotated[str, msgspec.Meta(max_length=255)] | UnsetType = UNSET
    volume_id: Uuid | UnsetType = UNSET
    snapshot_id: Uuid | UnsetType = UNSET
    volume_size: int | str | None = None
    volume_type: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    delete_on_termination: Truth | UnsetType = UNSET
    no_device: Any = None
    connection_info: str | UnsetType = UNSET
    tag: DeviceTag | UnsetType = UNSET


class ServerCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `server` in `POST /servers`."""

    name: Name
    flavor_ref: FlavorRef = field(name="flavorRef")
    image_ref: ImageRef | UnsetType = field(name="imageRef", default=UNSET)
    admin_password: str | UnsetType = field(name="adminPass", default=UNSET)
    metadata: Metadata = {}
    networks: list[NetworkItem] | Literal["auto", "none"]
    disk_config: DiskConfig = field(name="OS-DCF:diskConfig", default="MANUAL")
    access_ip_v4: IPv4 | UnsetType = field(name="accessIPv4", default=UNSET)
    access_ip_v6: IPv6 | UnsetType = field(name="accessIPv6", default=UNSET)
    personality: list[FileItem] = []
    availability_zone: Name | UnsetType = UNSET
    block_device_mapping: list[dict[str, Any]] = []
    block_device_mapping_v2: list[BlockDevice] = []
    config_drive: Truth = Truth(False)
    key_name: Name | UnsetType = UNSET
    min_count: Positive = Positive(1)
    max_count: Positive | UnsetType = UNSET
    return_reservation_id: Truth = Truth(False)
    security_groups: list[SecurityGroupItem] = []
    user_data: UserData | UnsetType = UNSET
    description: Description | None = None
    tags: Tags = []
    trusted_image_certificates: TrustedCertificates | None = None
    host: HostField | UnsetType = UNSET
    hypervisor_hostname: HostField | UnsetType = UNSET
    hostname: GuestHostname | UnsetType = UNSET


class ServerUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `server` in `PUT /servers/{id}`."""

    name: Name | UnsetType = UNSET
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)
    access_ip_v4: IPv4 | UnsetType = field(name="accessIPv4", default=UNSET)
    access_ip_v6: IPv6 | UnsetType = field(name="accessIPv6", default=UNSET)
    description: Description | UnsetType | None = UNSET
    hostname: GuestHostname | UnsetType = UNSET
    pinned_availability_zone: Name | UnsetType | None = UNSET
