"""A volume driver for real Cinder: each volume is a file of this machine, which whoever may read it attaches by its path.

Runs in the environment of the real services; imports nothing of Kilonova.
"""

from pathlib import Path

from cinder.volume import driver
from oslo_config import cfg

OPTION = cfg.StrOpt("interop_directory", help="Where the files are.")


class Files(driver.VolumeDriver):
    """Volumes as sparse files."""

    VERSION = "1"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values([OPTION])
        self._directory = Path(self.configuration.interop_directory)

    def do_setup(self, context: object) -> None:
        """Nothing has to be set up."""

    def check_for_setup_error(self) -> None:
        """Nothing can be missing."""

    def create_volume(self, volume: object) -> None:
        """A sparse file of its size."""
        with self._file(volume).open("wb") as file:
            file.truncate(volume.size << 30)

    def delete_volume(self, volume: object) -> None:
        """The file goes, if it is there."""
        self._file(volume).unlink(missing_ok=True)

    def ensure_export(self, context: object, volume: object) -> None:
        """A file needs no export."""

    def create_export(self, context: object, volume: object, connector: object) -> None:
        """A file needs no export."""

    def remove_export(self, context: object, volume: object) -> None:
        """A file needs no export."""

    def initialize_connection(self, volume: object, connector: dict) -> dict:
        """Its path, and for which host that was asked."""
        data = {"path": str(self._file(volume)), "format": "raw", "host": connector["host"]}
        return {"driver_volume_type": "local", "data": data}

    def terminate_connection(self, volume: object, connector: object, **kwargs: object) -> None:
        """Nobody has to be told."""

    def _update_volume_stats(self) -> None:
        self._stats = {
            "volume_backend_name": "interop",
            "vendor_name": "interop",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": 1000,
            "free_capacity_gb": 1000,
            "reserved_percentage": 0,
        }

    def _file(self, volume: object) -> Path:
        return self._directory / f"{volume.id}.raw"
