"""What the metadata service knows of a server: the trees of OpenStack and of EC2, with their dated versions. Pure.

Source: Nova user guide, "Metadata service"; which version has what: Nova's release notes on metadata.
"""

from collections.abc import Mapping

import msgspec

from kilonova.objects.server import Server
from kilonova.operations.guest_files import guest_files

EC2 = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01"),
    *("2009-04-04", "latest"),
)
"""The versions of the EC2 tree; all are served alike."""
GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO = "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06"
OPENSTACK = (
    *("2012-08-10", GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO),
    *("2017-02-22", "2018-08-27", "2020-10-14", "latest"),
)
"""The versions of OpenStack's tree."""
_FILES_SINCE = {
    "password": GRIZZLY,
    "vendor_data.json": HAVANA,
    "network_data.json": LIBERTY,
    "vendor_data2.json": NEWTON_TWO,
}
_KEYS_SINCE = {"random_seed": GRIZZLY, "project_id": LIBERTY, "devices": NEWTON_ONE}

Tree = Mapping[str, "bytes | Tree"]
"""Files by name, and folders."""


def tree(server: Server, random_seed: str) -> Tree:
    """Everything, from the root; `random_seed` is as for `guest_files`."""
    files = guest_files(server, random_seed)
    found: dict[str, bytes | Tree] = dict.fromkeys(EC2, _ec2(server, files))
    found["openstack"] = {version: _openstack(files, version) for version in OPENSTACK}
    return found


def look_up(root: Tree, path: str) -> bytes | None:
    """The file at `path`, or the list of a folder; None when nothing is there."""
    here: bytes | Tree = root
    for part in filter(None, path.split("/")):
        if isinstance(here, bytes) or part not in here:
            return None
        here = here[part]
    return here if isinstance(here, bytes) else "\n".join(_listed(here)).encode()


def _listed(folder: Tree) -> list[str]:
    """The names in a folder. Folders below meta-data show what they are; keys are numbered, with their names."""
    label = folder.get("")
    if isinstance(label, bytes):
        return [label.decode()]
    versions = set(folder) & {*EC2, *OPENSTACK}
    if versions:
        return [name for name in folder if name in versions]
    return [name if isinstance(content, bytes) else f"{name}/" for name, content in folder.items()]


def _openstack(files: Mapping[str, bytes], version: str) -> Tree:
    """The files of one version: later ones are not there yet, and no later keys in `meta_data.json`."""
    at = OPENSTACK.index(version)
    latest = {path.removeprefix("latest/"): content for path, content in files.items() if path.startswith("latest/")}
    latest["password"] = b""
    known = {
        name: content
        for name, content in latest.items()
        if name not in _FILES_SINCE or at >= OPENSTACK.index(_FILES_SINCE[name])
    }
    told = msgspec.json.decode(files["latest/meta_data.json"], type=dict[str, object])
    kept = {
        key: value for key, value in told.items() if key not in _KEYS_SINCE or at >= OPENSTACK.index(_KEYS_SINCE[key])
    }
    return {**known, "meta_data.json": msgspec.json.encode(kept)}


def _ec2(server: Server, files: Mapping[str, bytes]) -> Tree:
    """`meta-data/`, and `user-data` where there is some."""
    addresses = [one.address for nic in server.nics for one in nic.addresses if one.version == 4]
    address = addresses[0] if addresses else ""
    data: dict[str, bytes | Tree] = {
        "ami-id": _ec2_id("ami", server.image_id),
        "ami-launch-index": str(server.launch_index).encode(),
        "ami-manifest-path": b"",
        "block-device-mapping": _block_devices(server),
        "hostname": server.hostname.encode(),
        "instance-action": b"none",
        "instance-id": _ec2_id("i", server.id),
        "instance-type": server.flavor.name.encode(),
        "local-hostname": server.hostname.encode(),
        "local-ipv4": address.encode(),
        "placement": {"availability-zone": (server.availability_zone or "").encode()},
        "public-hostname": server.hostname.encode(),
        "public-ipv4": b"",
        "reservation-id": server.reservation_id.encode(),
        "security-groups": "\n".join(server.security_groups).encode(),
    }
    for kind, prefix in (("kernel", "aki"), ("ramdisk", "ari")):
        image_id = server.image_properties.get(f"{kind}_id")
        if image_id:
            data[f"{kind}-id"] = _ec2_id(prefix, image_id)
    if server.public_key is not None:
        key = {"openssh-key": server.public_key.encode()}
        data["public-keys"] = {"": f"0={server.key_name}".encode(), "0": key}
    user_data = files.get("latest/user_data")
    return {"meta-data": data} if user_data is None else {"meta-data": data, "user-data": user_data}


def _block_devices(server: Server) -> Tree:
    root = server.root_device_name or "/dev/vda"
    found = {"ami": root.removeprefix("/dev/").encode(), "root": root.encode()}
    volumes = [one.guest.device for one in server.volumes if not one.guest.boot]
    return found | {f"ebs{number}": device.encode() for number, device in enumerate(volumes)}


def _ec2_id(prefix: str, uuid: str | None) -> bytes:
    """An id in EC2's form: the first half of a UUID's digits would be too long for it, the first eight are what fits."""
    return b"" if not uuid else f"{prefix}-{uuid[:8]}".encode()
