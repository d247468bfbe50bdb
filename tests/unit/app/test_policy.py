"""The policy file of a cloud, read again when it changes."""

import os

from kilonova.app.policy import PolicyWatch, policy_of
from kilonova.runtime.real import RealRuntime

RULE = "os_compute_api:servers:show"


def write(file, text, at):
    file.write_text(text)
    os.utime(file, (at, at))


def test_look__changed_file__its_rules_hold_and_a_bad_one_changes_nothing(tmp_path, caplog):
    file = tmp_path / "policy.yaml"
    write(file, f'"{RULE}": "role:one"\n', 1)
    policy = policy_of(str(file))
    watch = PolicyWatch(policy, file, RealRuntime())
    watch.look()
    assert policy.text(RULE) == "role:one"
    write(file, f'"{RULE}": "role:two"\n', 2)
    watch.look()
    assert policy.text(RULE) == "role:two"
    write(file, '"os_compute_api:servers:shw": "@"\n', 3)
    watch.look()
    file.unlink()
    watch.look()
    assert policy.text(RULE) == "role:two"
    assert "did you mean 'os_compute_api:servers:show'?" in caplog.text
    assert "can't be read" in caplog.text
