"""The same seed does the same, in every process and for every PYTHONHASHSEED."""

import json
import os
import subprocess
import sys

SEEDS = "0..19"
SCENARIO = "storm"


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
    return json.loads(done.stdout)["trace_hash"]


def test_twenty_seeds__two_processes_with_other_hash_seeds__same_traces():
    first, second = _trace_hashes("0"), _trace_hashes("random")
    assert len(first) == 20
    assert len(set(first.values())) == 20
    assert first == second
