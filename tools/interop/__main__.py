"""`python -m tools.interop [--cache DIR] [--logs DIR] [--only-serve] [PYTEST ARGUMENTS]`: one run of the rig."""

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.interop import cinder, glance, keystone, neutron
from tools.interop.environment import environment
from tools.interop.process import Processes, RigError
from tools.interop.services import Site

PROJECT = Path(__file__).parents[2]
DEFAULT_TESTS = ["-n", "2", "--dist", "loadfile", "-m", "interop", "tests/interop", "tests/contract", "tests/examples"]


def main() -> int:
    """Run the rig; 0 when every test passed."""
    options, pytest = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interop: ended by a signal"))
    started = time.monotonic()
    env = environment(options.cache)
    _say(f"real services and clients are installed ({time.monotonic() - started:.0f} s)")
    shutil.rmtree(options.logs, ignore_errors=True)
    options.logs.mkdir(parents=True)
    state = Path(tempfile.mkdtemp(prefix="interop-"))
    try:
        with Processes(options.logs) as processes:
            told = _start(Site(env, processes, state, secrets.token_hex(12)))
            _say(
                f"Keystone, Glance, Neutron and Cinder answer ({time.monotonic() - started:.0f} s); logs in {options.logs}"
            )
            if options.only_serve:
                return _serve(told)
            return subprocess.call([sys.executable, "-m", "pytest", *pytest], cwd=PROJECT, env={**os.environ, **told})
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(state, ignore_errors=True)
        _say(f"everything is stopped ({time.monotonic() - started:.0f} s)")


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m tools.interop", description=sys.modules[__package__].__doc__)
    parser.add_argument("--cache", type=Path, default=PROJECT / ".cache" / "interop", help="keeps the environment")
    parser.add_argument("--logs", type=Path, help="logs of this run; default: logs in the cache")
    parser.add_argument("--only-serve", action="store_true", help="print the settings and wait for an interrupt")
    options, pytest = parser.parse_known_args()
    options.cache = options.cache.absolute()
    options.logs = (options.logs or options.cache / "logs").absolute()
    return options, pytest or DEFAULT_TESTS


def _start(site: Site) -> dict[str, str]:
    """Start the services; the settings by which tests find them."""
    identity = keystone.start(site)
    image = glance.start(site, identity)
    network = neutron.start(site, identity)
    volume = cinder.start(site, identity)
    admin = keystone.Admin(identity, site.password)
    admin.make_endpoint("glance", "image", image)
    admin.make_endpoint("neutron", "network", network)
    admin.make_endpoint("cinder", "block-storage", f"{volume}/v3")
    return {
        "KILONOVA_TEST_KEYSTONE_URL": f"{identity}/v3",
        "KILONOVA_TEST_GLANCE_URL": image,
        "KILONOVA_TEST_NEUTRON_URL": network,
        "KILONOVA_TEST_CINDER_URL": volume,
        **_people(site),
        "KILONOVA_TEST_CONFIG": str(site.config("kilonova.toml", _kilonova(site, identity, image, network, volume))),
        "KILONOVA_TEST_CLIENTS": str(site.environment.root / "bin"),
    }


def _people(site: Site) -> dict[str, str]:
    """An administrator, and members of two projects."""
    told = {}
    for who, name in (("", "admin"), ("MEMBER_", "demo"), ("OTHER_", "other")):
        account = {"USER": name, "PASSWORD": site.password, "PROJECT": name}
        told |= {f"KILONOVA_TEST_KEYSTONE_{who}{key}": value for key, value in account.items()}
    return told


def _kilonova(site: Site, identity: str, image: str, network: str, volume: str) -> str:
    """The configuration of a Kilonova that uses these services."""
    return f"""
[identity]
url = "{identity}/v3"
username = "nova"
password = "{site.password}"
project_name = "service"
user_domain_name = "Default"
project_domain_name = "Default"

[image]
url = "{image}"

[network]
url = "{network}"

[volume]
url = "{volume}"
directory = "{cinder.directory(site)}"
"""


def _serve(told: dict[str, str]) -> int:
    for name, value in told.items():
        print(f"export {name}={value}")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


def _say(text: str) -> None:
    print(f"interop: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
