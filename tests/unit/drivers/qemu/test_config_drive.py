"""The config drive's disk."""

import io

import pycdlib
import pytest

from kilonova.drivers.qemu.config_drive import config_drive_iso

FILES = {
    "openstack/latest/meta_data.json": b'{"uuid": "x"}',
    "openstack/latest/user_data": b"#!/bin/sh\n",
    "openstack/2018-08-27/network_data.json": b"{}",
    "openstack/content/0000": bytes(5000),
    "ec2/latest/meta-data.json": b"",
}


@pytest.mark.parametrize("naming", ["rr_path", "joliet_path"])
def test_config_drive__read_again__has_the_files_under_their_long_names(naming: str) -> None:
    disk = pycdlib.PyCdlib()
    disk.open_fp(io.BytesIO(config_drive_iso(FILES)))
    for path, content in FILES.items():
        out = io.BytesIO()
        disk.get_file_from_iso_fp(out, **{naming: f"/{path}"})
        assert out.getvalue() == content
    disk.close()


def test_config_drive__label__is_what_guests_look_for() -> None:
    image = config_drive_iso(FILES)
    assert image[0x8001:0x8006] == b"CD001"
    assert image[0x8028:0x8048].rstrip() == b"config-2"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_config_drive__path_leads_elsewhere__is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="config drive"):
        config_drive_iso({path: b""})
