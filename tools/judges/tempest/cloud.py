"""The cloud that Tempest judges: what its tests need to be there, and the configuration that says so."""

from pathlib import Path

from kilonova.app.clouds_yaml import ACCOUNTS
from kilonova.testing.access import ADMIN
from tools.judges.resources import flavor_make, image_make, network_make
from tools.up_cloud import UpCloud

TEMPLATE = Path(__file__).with_name("tempest.conf")


def configured(up: UpCloud, folder: Path) -> Path:
    """Make two images, two flavors and a shared network; the configuration file, in `folder`."""
    with up.client(ADMIN) as admin:
        told = {
            "image": image_make(admin, "one"),
            "image_alt": image_make(admin, "two"),
            "flavor": flavor_make(admin, "small", 64),
            "flavor_alt": flavor_make(admin, "large", 128),
        }
        network_make(admin, "shared")
    user = ACCOUNTS[ADMIN]
    password = (up.state / "secrets" / f"{user}-password").read_text(encoding="ascii")
    file = folder / TEMPLATE.name
    file.write_text(TEMPLATE.read_text().format(folder=folder, url=up.url, user=user, password=password, **told))
    return file
