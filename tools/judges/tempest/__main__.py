"""`python -m tools.judges.tempest [--cache DIR] [NAME ...]`: one run of the judge."""

import argparse
import sys
import tempfile
from pathlib import Path

from tools.interop.environment import environment
from tools.interop.process import RigError
from tools.judges.tempest.cloud import configured
from tools.judges.verdict import Judge, judged
from tools.up_cloud import UpCloud

PROJECT = Path(__file__).parents[3]
HERE = Path(__file__).parent
HOSTS = 3
JUDGE = Judge(
    title="Tempest's tests of the Compute API",
    script=HERE / "compute.py",
    cannot={
        "ServerDiagnosticsV248Test.test_get_server_diagnostics": "the schema knows only the names of "
        "Nova's own drivers, and the driver here is `fake`",
        "TenantUsagesNegativeTestJSON.test_get_usage_tenant_with_empty_tenant_id": "it asks for a path that "
        "ends in a slash, which means nothing here: the list is told",
    },
)


def main() -> int:
    """Run it; 0 when every test passed that can apply."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.judges.tempest", description=sys.modules[__package__].__doc__
    )
    parser.add_argument(
        "--cache", type=Path, default=PROJECT / ".cache" / "judge-tempest", help="keeps the environment"
    )
    parser.add_argument("name", nargs="*", help="only tests with this in their name")
    options = parser.parse_args()
    cache = options.cache.absolute()
    try:
        env = environment(cache, HERE / "requirements.txt")
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="judge-tempest-") as folder,
        UpCloud(Path(folder) / "state", "--hosts", HOSTS) as up,
    ):
        file = configured(up, Path(folder))
        told = {"TEMPEST_CONFIG_DIR": folder, "TEMPEST_CONFIG": file.name}
        return judged(JUDGE, env.bin("python"), cache, [], options.name, told)


if __name__ == "__main__":
    sys.exit(main())
