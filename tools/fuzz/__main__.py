"""`python -m tools.fuzz [--cache DIR] [--requests N] [2.N ...]`: one run of the judge over these microversions, or all bands."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from kilonova.objects.history.api import API
from tools.interop.environment import environment
from tools.interop.process import RigError
from tools.up_cloud import UpCloud

PROJECT = Path(__file__).parents[2]
HERE = Path(__file__).parent
REQUESTS = 100_000
EXAMPLES = 8
"""Of each operation in a round."""
HOSTS = 3
CHECKS = "no_unexpected_failure,status_code_conformance,body_as_documented"
SHOWN = 30
"""Lines that are shown of a round that found something."""


def main() -> int:
    """Run it; 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=sys.modules[__package__].__doc__)
    parser.add_argument("--cache", type=Path, default=PROJECT / ".cache" / "fuzz", help="keeps the environment")
    parser.add_argument("--requests", type=int, default=int(os.environ.get("FUZZ_REQUESTS", REQUESTS)))
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("versions", nargs="*", help="only these microversions")
    options = parser.parse_args()
    cache = options.cache.absolute()
    try:
        env = environment(cache, HERE / "requirements.txt")
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    statuses: Counter[str] = Counter()
    failed = []
    for turn in count():
        labels = options.versions or bands()
        label = labels[turn % len(labels)]
        with tempfile.TemporaryDirectory() as folder, UpCloud(Path(folder) / "state", "--hosts", HOSTS) as cloud:
            done, tally = _round(env.bin("st"), cloud, Path(folder), cache, label, options.seed + turn)
        statuses.update(tally["statuses"])
        asked = sum(statuses.values())
        print(f"{label}: {sum(tally['statuses'].values())} requests, {asked} so far{'' if done else ', FAILED'}")
        if not done:
            failed.append(label)
            log = (cache / f"{label}.log").read_text(errors="replace").splitlines()
            print(*[f"    {line}" for line in log[-SHOWN:]], sep="\n")
        if asked >= options.requests:
            break
    told = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    print(f"{sum(statuses.values())} requests ({told}); rounds that found something: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


STRIDE = 7


def bands() -> list[str]:
    """The microversions to go through: far ones first, so that a short run sees all ages; each that changes something once."""
    changing = [label for label, changes in API.steps if changes]
    return [label for start in range(STRIDE) for label in changing[start::STRIDE]]


def _round(st: str, cloud: UpCloud, folder: Path, cache: Path, label: str, seed: int) -> tuple[bool, dict[str, Any]]:
    """One microversion on a fresh cloud: whether nothing was found, and what was counted."""
    cloud.wait_until_hosts(HOSTS)
    notes, tally = folder / "round.json", folder / "tally.json"
    with cloud.client() as admin:
        token = admin.headers["X-Auth-Token"]
        document = admin.get(f"/compute/openapi/{label}.json").raise_for_status().content
    (folder / "openapi.json").write_bytes(document)
    version = {"OpenStack-API-Version": f"compute {label}", "X-OpenStack-Nova-API-Version": label}
    notes.write_text(json.dumps({"pool": _furnished(cloud), "tally": str(tally), "version": version}))
    line = [
        *(
            st,
            "run",
            str(folder / "openapi.json"),
            "--url",
            f"{cloud.url}/compute/v2.1",
            "-H",
            f"X-Auth-Token: {token}",
        ),
        *("--checks", CHECKS, "--continue-on-failure", "--max-examples", str(EXAMPLES), "--seed", str(seed)),
        *("--suppress-health-check", "all", "--exclude-deprecated", "--warnings", "off", "--no-shrink"),
    ]
    variables = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "hooks",
        "KILONOVA_FUZZ_ROUND": str(notes),
    }
    with (cache / f"{label}.log").open("wb") as log:
        code = subprocess.call(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables, cwd=folder)
    if not tally.exists():
        return False, {"statuses": {}}
    return code == 0, json.loads(tally.read_text())


def _furnished(cloud: UpCloud) -> dict[str, list[str]]:
    """One of everything that requests can name, by the field or the collection that names it."""
    wish = cloud.furnish()
    cloud.lift_quotas()
    base = "/compute/v2.1"
    networks = [network["uuid"] for network in wish["networks"]]
    with cloud.client("kilonova") as member, cloud.client() as admin:

        def made(path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = admin.post(base + path, json={key: body}).raise_for_status().json()[key]
            return found

        servers = []
        for at in range(2):
            body = {"server": {**wish, "name": f"s{at}"}}
            answer = member.post(f"{base}/servers", json=body, headers={"OpenStack-API-Version": "compute 2.37"})
            servers.append(answer.raise_for_status().json()["server"]["id"])
        made("/os-keypairs", "keypair", {"name": "k"})
        group = made("/os-server-groups", "server_group", {"name": "g", "policies": ["affinity"]})
        aggregate = made("/os-aggregates", "aggregate", {"name": "a"})
        projects = admin.get("/identity/v3/auth/projects").raise_for_status().json()["projects"]
        host = admin.get(f"{base}/os-services").raise_for_status().json()["services"][0]["host"]
    for server in servers:
        cloud.wait_until_active(server)
    return {
        "servers": servers,
        "server": servers,
        "flavors": [wish["flavorRef"]],
        "flavor": [wish["flavorRef"]],
        "image": [wish["imageRef"]],
        "net": networks,
        "uuid": networks,
        "key_name": ["k"],
        "os-keypairs": ["k"],
        "os-server-groups": [group["id"]],
        "group": [group["id"]],
        "os-aggregates": [str(aggregate["id"])],
        "os-quota-sets": [projects[0]["id"]],
        "tenant": [projects[0]["id"]],
        "os-quota-class-sets": ["default"],
        "host": [host],
        "network": ["net"],
    }


if __name__ == "__main__":
    sys.exit(main())
