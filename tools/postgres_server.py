"""A PostgreSQL server of our own, for tests and benchmarks: a cluster in a temporary directory, on a Unix socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
"""Where Debian has the programs of each PostgreSQL that is installed, the oldest first."""
_SETTINGS = ("listen_addresses=", "max_connections=200", "shared_buffers=64MB", "autovacuum=off")


@contextmanager
def server(*settings: str) -> Iterator[str]:
    """A running server; the URL of its database `postgres`. `settings` are its own, e.g. `fsync=off`."""
    folder = Path(tempfile.mkdtemp(prefix="kn-pg-"))
    user = _user()
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    run = _runner(user, folder)
    try:
        run(
            "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "kilonova",
            "-A",
            "trust",
            "-N",
            "--no-instructions",
            "-E",
            "UTF8",
        )
        options = " ".join(f"-c {one}" for one in (f"unix_socket_directories={folder}", *_SETTINGS, *settings))
        run("pg_ctl", "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://kilonova@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runner(user: str, folder: Path) -> Callable[..., None]:
    """Runs one of the server's programs. It refuses to be root, so then it is somebody else's."""

    def run(program: str, *arguments: str) -> None:
        command = [str(PROGRAMS[-1] / program), *arguments]
        demoted: dict[str, Any] = {}
        if os.geteuid() == 0:
            demoted = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        with (folder / f"{program}.out").open("ab") as output:
            done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False, **demoted)
        assert done.returncode == 0, (folder / f"{program}.out").read_text()

    return run


def _user() -> str:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = [entry.pw_name for entry in pwd.getpwall()]
    return "postgres" if "postgres" in names else "nobody"


def fresh_database(url: str) -> str:
    """A new, empty database on the server of `url`; its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM pg_database").fetchone()
        number = 0 if found is None else found[0]
        connection.execute(f"CREATE DATABASE test{number}")
    return url.replace("/postgres?", f"/test{number}?")
