"""`python -m tools.judges.placement [--cache DIR] [gabbits|osc] [NAME ...]`: one run of the judges."""

import argparse
import sys
from pathlib import Path

from tools.interop.environment import environment
from tools.interop.process import RigError
from tools.judges.verdict import Judge, judged

PROJECT = Path(__file__).parents[3]
HERE = Path(__file__).parent
KILONOVA = Path(sys.executable).with_name("kilonova")
JUDGES = {
    "gabbits": Judge(
        title="gabbits of openstack-placement",
        script=HERE / "gabbits.py",
        cannot={
            "basic-http_bad_content_length_not_int": "no HTTP client sends such a header; it is for calls without a socket"
        },
    ),
    "osc": Judge(title="functional tests of osc-placement", script=HERE / "osc.py"),
}


def main() -> int:
    """Run the judges; 0 when every test passed that can apply."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.judges.placement", description=sys.modules[__package__].__doc__
    )
    parser.add_argument(
        "--cache", type=Path, default=PROJECT / ".cache" / "judge-placement", help="keeps the environment"
    )
    parser.add_argument("judge", nargs="?", choices=JUDGES, help="only this one")
    parser.add_argument("name", nargs="*", help="only these files, or tests with this in their name")
    options = parser.parse_args()
    cache = options.cache.absolute()
    try:
        env = environment(cache, HERE / "requirements.txt")
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    chosen = [options.judge] if options.judge else list(JUDGES)
    return max(judged(JUDGES[one], env.bin("python"), cache, [str(KILONOVA)], options.name, {}) for one in chosen)


if __name__ == "__main__":
    sys.exit(main())
