"""`gabbits.py KILONOVA REPORT [FILE ...]`: run the gabbits that openstack-placement ships. Runs in the judges' environment."""

import os
import sys
import unittest
import uuid
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from building import Building
from gabbi import handlers, suitemaker, utils
from placement.tests import functional
from placement.tests.functional.fixtures import gabbits as fixtures
from served import Served, free_port
from tally import Tally

ELSEWHERE = {
    "CORSFixture": "cross-origin headers of the package's own middleware",
    "LegacyRBACPolicyFixture": "policy rules that OpenStack has deprecated",
}
"""Fixtures that can't be had, each with the reason."""
PLAIN = {"placement:reshaper:reshape": "role:admin or role:service"}
"""The package's plain fixture still lets administrators reshape, which newer defaults leave to services."""
FIXED = {
    "CUSTOM_RES_CLASS": "CUSTOM_IRON_NFV",
    "CUSTOM_RES_CLASS1": "CUSTOM_IRON_NFV1",
    "CUSTOM_RES_CLASS2": "CUSTOM_IRON_NFV2",
}
RANDOM = (
    *("RP_UUID", "RP_NAME", "RP_UUID1", "RP_NAME1", "RP_UUID2", "RP_NAME2", "PROJECT_ID", "ADMIN_PROJECT_ID"),
    *("SERVICE_PROJECT_ID", "USER_ID", "PROJECT_ID_ALT", "USER_ID_ALT", "INSTANCE_UUID", "MIGRATION_UUID"),
    *("CONSUMER_UUID", "PARENT_PROVIDER_UUID", "ALT_PARENT_PROVIDER_UUID"),
)
"""What every fixture puts into the environment."""


def main() -> int:
    """Run them; 0 when all passed."""
    kilonova, report, *wanted = sys.argv[1:]
    warnings.simplefilter("ignore")
    served = Served(kilonova, free_port())
    _take_over(served)
    folder = Path(functional.__file__).parent / "gabbits"
    tally, beside = Tally(), {}
    for file in sorted(folder.glob("*.yaml")):
        if wanted and file.stem not in wanted:
            continue
        suite = utils.load_yaml(yaml_file=str(file))
        reasons = [ELSEWHERE[name] for name in suite.get("fixtures", []) if name in ELSEWHERE]
        if reasons:
            beside[file.stem] = f"{len(suite['tests'])} tests: {reasons[0]}"
            continue
        tests = suitemaker.test_suite_from_dict(
            unittest.TestLoader(),
            file.stem,
            suite,
            str(folder),
            "127.0.0.1",
            served.port,
            fixtures,
            None,
            handlers=[handler() for handler in handlers.RESPONSE_HANDLERS],
        )
        tests.run(tally)
    served.stop()
    tally.write(Path(report), beside)
    return 1 if tally.failures or tally.errors or tally.unexpectedSuccesses else 0


def _take_over(served: Served) -> None:
    """Let the package's fixtures begin with our service and build through our API."""

    def start(self: Any) -> None:
        os.environ.update(FIXED, **{name: str(uuid.uuid4()) for name in RANDOM})
        self.context = None
        served.start({} if self._secure_rbac else PLAIN)
        self.policy_fixture = SimpleNamespace(set_rules=served.start)

    def stop(_self: object) -> None:
        served.stop()

    def named(_context: object, external_id: str) -> SimpleNamespace:
        return SimpleNamespace(external_id=external_id, create=lambda: None)

    fixtures.APIFixture.start_fixture = start
    fixtures.APIFixture.stop_fixture = stop
    fixtures.tb = Building(served)
    fixtures.rc_obj = SimpleNamespace(ResourceClass=fixtures.tb.ensure_class)
    fixtures.user_obj = SimpleNamespace(User=named)
    fixtures.project_obj = SimpleNamespace(Project=named)


if __name__ == "__main__":
    sys.exit(main())
