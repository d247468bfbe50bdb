"""The story: what the person sees, from the key pair to the empty list of servers."""

import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.demo.client import Client
from tools.demo.cloud import DemoCloud
from tools.demo.problem import Problem
from tools.demo.proof import WORDS_SHOWN, Expected, boots, fake_proofs, proofs, user_data
from tools.demo.screen import Screen

NAME = "demo"
ADMIN = ("--os-cloud", "kilonova-admin")
PATIENCE_S = 180
"""A guest without hardware acceleration takes half a minute to boot on a slow machine."""


def _columns(*names: str) -> list[str]:
    """Options that show these columns only: the whole of a server is forty lines."""
    return [word for name in names for word in ("-c", name)]


IMAGE_COLUMNS = _columns("name", "id", "status", "disk_format", "size")


@dataclass(frozen=True)
class Files:
    """What the guest is made from."""

    driver: str
    disk: Path
    kernel: Path | None
    ramdisk: Path | None


def tell(screen: Screen, client: Client, _cloud: DemoCloud, files: Files) -> None:
    """Tell all of it. Raises `Problem` as soon as something is not as it should be."""
    nonce = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as scratch:
        screen.chapter("A key pair, a network, an image, a flavor")
        _furnish(client, files, Path(scratch))
        screen.chapter("A server")
        script = Path(scratch) / "hello.sh"
        script.write_text(user_data(nonce))
        options = ["--image", NAME, "--flavor", NAME, "--network", NAME, "--key-name", NAME]
        client.show("server", "create", *options, "--user-data", str(script), *_columns("name", "id", "status"), NAME)
    _wait_status(screen, client, "ACTIVE")
    client.show("server", "show", *_columns("name", "id", "status", "addresses", "flavor", "image", "key_name"), NAME)
    _prove(screen, client, files, nonce)
    screen.chapter("Stop, start, reboot, delete")
    _go_round(screen, client, files)


def _furnish(client: Client, files: Files, scratch: Path) -> None:
    key = scratch / "key"
    generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo@kilonova", "-f", str(key)]
    if _runs(generate):
        client.show("keypair", "create", "--public-key", f"{key}.pub", NAME)
    else:
        client.show("keypair", "create", "--private-key", str(key), NAME)
    client.show("network", "create", *_columns("name", "id", "status"), NAME)
    subnet = ["--network", NAME, "--subnet-range", "10.20.30.0/24"]
    client.show("subnet", "create", *subnet, *_columns("name", "id", "cidr", "allocation_pools"), NAME)
    properties: list[str] = []
    for name, form, file in (("kernel", "aki", files.kernel), ("ramdisk", "ari", files.ramdisk)):
        if file is not None:
            formats = ["--disk-format", form, "--container-format", form]
            client.show("image", "create", *formats, "--file", str(file), *IMAGE_COLUMNS, f"{NAME}-{name}")
            image_id = client.ask("image", "show", f"{NAME}-{name}", "-c", "id")["id"]
            properties += ["--property", f"{name}_id={image_id}"]
    client.show("image", "create", "--disk-format", "raw", *properties, "--file", str(files.disk), *IMAGE_COLUMNS, NAME)
    size = ["--vcpus", "1", "--ram", "256", "--disk", "1"]
    client.show(*ADMIN, "flavor", "create", *size, *_columns("name", "vcpus", "ram", "disk"), NAME)


def _prove(screen: Screen, client: Client, files: Files, nonce: str) -> None:
    screen.chapter("The guest's own words")
    (port,) = client.ask("port", "list", "--server", NAME)
    expected = Expected(
        hostname=NAME,
        address=port["Fixed IP Addresses"][0]["ip_address"],
        mac=port["MAC Address"],
        key_fingerprint=client.ask("keypair", "show", NAME)["fingerprint"],
        nonce=nonce,
    )
    if files.driver == "fake":
        console = client.show("console", "log", "show", NAME)
        found = fake_proofs(console, expected)
    else:
        console = _wait_boots(screen, client, 1, "the guest to come up")
        screen.command(f"openstack console log show --lines {WORDS_SHOWN} {NAME}")
        screen.output("\n".join(console.splitlines()[-WORDS_SHOWN:]))
        found = proofs(console, expected)
    for sentence in found:
        screen.proven(sentence)


def _go_round(screen: Screen, client: Client, files: Files) -> None:
    client.show("server", "stop", NAME)
    _wait_status(screen, client, "SHUTOFF")
    client.show("server", "start", NAME)
    _wait_status(screen, client, "ACTIVE")
    if files.driver == "qemu":
        _wait_boots(screen, client, 2, "the guest to come up again")
    client.show("server", "reboot", NAME)
    if files.driver == "qemu":
        _wait_boots(screen, client, 3, "the guest to reboot")
    _wait_status(screen, client, "ACTIVE")
    client.show("server", "event", "list", NAME)
    client.show("server", "delete", NAME)
    _wait(screen, "the server to be gone", lambda: not client.ask("server", "list"))
    client.show("server", "list")


def _wait_status(screen: Screen, client: Client, status: str) -> None:
    def reached() -> bool:
        server = client.ask("server", "show", NAME)
        if server["status"] == "ERROR":
            raise Problem(f"The server went to ERROR: {server.get('fault')}")
        return bool(server["status"] == status)

    _wait(screen, f"the server to be {status}", reached)


def _wait_boots(screen: Screen, client: Client, count: int, what: str) -> str:
    """Wait until the console tells of `count` boots; the console."""
    console = ""

    def reached() -> bool:
        nonlocal console
        console = client.text("console", "log", "show", NAME)
        return boots(console) >= count

    try:
        _wait(screen, what, reached)
    except Problem as problem:
        raise Problem(f"{problem}\nThe console ends with:\n{console[-2000:]}") from problem
    return console


def _wait(screen: Screen, what: str, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with screen.step(f"waited for {what}"):
        while not reached():
            if time.monotonic() > deadline:
                raise Problem(f"Waited {PATIENCE_S} s in vain for {what}.")


def _runs(command: list[str]) -> bool:
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
