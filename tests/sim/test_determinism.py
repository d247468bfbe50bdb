"""The same seed does the same, in every process and for every PYTHONHASHSEED."""

import json
import os
import subprocess
import sys

SEEDS = "0..99"
SCENARIO = "short"
PROCESSES = 3


def _trace_hashes(hash_seed: str) -> dict[str, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from kilonova.cli.main import main; main()",
            "sim",
            "run",
            "--seeds",
            SEEDS,
            "--scenario",
            SCENARIO,
            "--json",
        ],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)["trace_hashes"]


def test_a_hundred_seeds__three_processes_with_random_hash_seeds__same_traces():
    first, *others = [_trace_hashes("random") for _ in range(PROCESSES)]
    assert len(first) == 100
    assert len(set(first.values())) == 100
    assert all(other == first for other in others)
