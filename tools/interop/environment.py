"""The virtual environment that holds the real services and clients: made once for each lock file."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.interop.process import RigError, tail

LOCK = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with what the lock file names."""

    root: Path

    def bin(self, program: str) -> str:
        """The path of one of its programs."""
        return str(self.root / "bin" / program)

    @property
    def etc(self) -> Path:
        """Where packages put their configuration data."""
        return self.root / "etc"


def environment(cache: Path, lock: Path = LOCK) -> Environment:
    """The environment of a lock file as it is now, installed on first use with plain pip, every hash checked."""
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    root = cache / f"venv-{digest}"
    done = root / "installed"
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            str(lock),
        ]
        log = root / "install.log"
        with log.open("wb") as output:
            if subprocess.call([str(root / "bin" / "python"), *install], stdout=output, stderr=output) != 0:
                raise RigError(f"pip could not install {lock.name}; the end of {log}:\n{tail(log)}")
        done.touch()
    return Environment(root)
