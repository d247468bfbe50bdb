"""The rules of the Compute API, with those that a policy file overrides; the file is read again when it changes."""

import logging
from pathlib import Path

from kilonova.api.former_policies import FORMER
from kilonova.api.policies import RULES
from kilonova.app.foundation import Foundation
from kilonova.runtime.runtime import Runtime
from kilonova.web.policy import Policy
from kilonova.web.policy_file import BadPolicyFile
from kilonova.web.policy_overrides import overrides_read

LOOK_S = 2.0
"""How often the file is looked at, in seconds."""

log = logging.getLogger(__name__)
Stamp = tuple[float, int, int] | None


def policy_of(file: str | None) -> Policy:
    """The rules, with the overrides of `file`. Raises `BadPolicyFile`."""
    return Policy(RULES, None if file is None else overrides_read(Path(file).expanduser(), RULES, FORMER))


def compute_policy(foundation: Foundation) -> Policy:
    """The rules as configured, which follow their file as long as the cloud runs. Raises `BadPolicyFile`."""
    file = foundation.config.compute.policy_file
    policy = policy_of(file)
    if file is not None:
        foundation.run("policy file", PolicyWatch(policy, Path(file).expanduser(), foundation.runtime).run())
    return policy


class PolicyWatch:
    """Gives `policy` what `file` says, each time that it says something else."""

    def __init__(self, policy: Policy, file: Path, runtime: Runtime) -> None:
        """The policy has the rules that the file has now."""
        self._policy = policy
        self._file = file
        self._runtime = runtime
        self._seen = _stamp(file)

    async def run(self) -> None:
        """Look at the file for ever."""
        while True:
            await self._runtime.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Take what has changed. A file that can't be used is told in the log once, and the rules stay as they are."""
        stamp = _stamp(self._file)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._policy.replace(overrides_read(self._file, RULES, FORMER))
        except BadPolicyFile as error:
            log.warning("policy stays as it was: %s", error.message)
        else:
            log.info("policy read again from %s", self._file)


def _stamp(file: Path) -> Stamp:
    """What changes when the file does; None when it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_size, found.st_ino
