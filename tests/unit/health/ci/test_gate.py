"""The gate, case by case: what isn't known lets nothing pass, and nothing can talk its way through."""

import msgspec
import pytest

from kilonova.health.ci.facts import Label, Labelled, Said, Waived
from kilonova.health.ci.gate import EXIT, Decision, Known, Outcome, judge
from kilonova.health.ci.history import Change
from kilonova.health.ci.metrics import DAY_S
from kilonova.health.ci.policy import BadPolicy, policy_read
from kilonova.health.ci.voting import State
from kilonova.health.ci.waivers import Waiver
from unit.health.ci.changes import change, comment, patchset, registry
from unit.health.ci.documents import HOST, HOUR, T0

POLICY = """
version: 1
features:
  virt.acme: {paths: ["driver/acme/**"], ci: [acme]}
  virt.other: {paths: ["driver/other/**"], ci: [nobody]}
  virt.bare: {paths: ["driver/bare/**"]}
  virt.shared: {paths: ["driver/base.py"], ci: ["all-of: virt.acme"]}
  docs: {paths: ["docs/**"], ci: [acme]}
require:
  - when: {feature: "virt.*"}
    max_age: 7d
new_feature: {dir_globs: ["driver/*"]}
"""
AT = T0 + 2 * HOUR


def decided(found: Change, *, at: float = AT, number: int | None = None, **more: object) -> Decision:
    known = Known(policy_read(POLICY), "", registry(), {"acme": State.REQUIRED}, (), at, at)
    return judge(found, number, msgspec.structs.replace(known, **more))


def passed(at: float = HOUR) -> tuple[float, Said]:
    return at, comment("SUCCESS")


@pytest.mark.parametrize(
    ("found", "more", "outcome"),
    [
        (change(passed()), {}, Outcome.PASS),
        (change((HOUR, comment("FAILURE"))), {}, Outcome.FAIL),
        (change((HOUR, comment("FAILURE")), (HOUR + 60, comment("SUCCESS"))), {}, Outcome.PASS),
        (change((HOUR, comment("SUCCESS")), (HOUR + 60, comment("FAILURE"))), {}, Outcome.FAIL),
        (change(), {}, Outcome.PENDING),
        (change(), {"at": T0 + 5 * HOUR, "known_until": T0 + 5 * HOUR}, Outcome.BLOCKED),
        (change((HOUR, comment("NODE_FAILURE"))), {}, Outcome.PENDING),
        (change(passed()), {"known_until": AT - 901}, Outcome.UNKNOWN),
        (change(passed()), {"known_until": None}, Outcome.UNKNOWN),
        (change(passed(), files=None), {}, Outcome.UNKNOWN),
        (change(passed()), {"number": 7}, Outcome.UNKNOWN),
        (change(passed()), {"states": {"acme": State.DEGRADED}}, Outcome.BLOCKED),
        (change(passed()), {"states": {"acme": State.SUSPENDED}}, Outcome.BLOCKED),
        (change(passed()), {"states": {}}, Outcome.BLOCKED),
        (change(passed(), files=("driver/other/x.py",)), {}, Outcome.BLOCKED),
        (change(passed(), files=("driver/bare/x.py",)), {}, Outcome.BLOCKED),
        (change(files=("driver/base.py",)), {}, Outcome.PENDING),
        (change(passed(), files=("driver/base.py",)), {}, Outcome.PASS),
        (change(files=("api/servers.py",)), {}, Outcome.PASS),
        (change(files=("docs/x.md",)), {}, Outcome.PASS),
        (change(files=("ci-policy.yaml", "driver/acme/x.py")), {}, Outcome.PENDING),
    ],
)
def test_judge__case_by_case(found: Change, more: dict[str, object], outcome: Outcome) -> None:
    assert decided(found, **more).outcome is outcome


def test_exit_codes__are_those_of_the_contract() -> None:
    assert [EXIT[one] for one in Outcome] == [0, 1, 3, 4, 5]


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("REWORK", Outcome.PENDING),
        ("TRIVIAL_REBASE", Outcome.PASS),
        ("NO_CODE_CHANGE", Outcome.PASS),
        ("", Outcome.PENDING),
    ],
)
def test_judge__verdict_on_the_patch_set_before__holds_over_kinds_that_change_nothing(
    kind: str, outcome: Outcome
) -> None:
    assert decided(change(passed(), (HOUR + 1, patchset(2, kind)))).outcome is outcome


def test_judge__verdict_carried_over_a_rework_in_between__doesnt_hold() -> None:
    found = change(passed(), (HOUR + 1, patchset(2)), (HOUR + 2, patchset(3, "TRIVIAL_REBASE")))
    assert decided(found).outcome is Outcome.PENDING


def test_judge__older_patch_set__is_blocked() -> None:
    assert decided(change(passed(), (HOUR + 1, patchset(2))), number=1).outcome is Outcome.BLOCKED


def test_judge__verdict_older_than_the_policy_allows__must_be_had_again() -> None:
    at = T0 + 9 * DAY_S
    assert decided(change(passed()), at=at, known_until=at).outcome is Outcome.PENDING


def test_judge__ci_that_uploaded_the_patch_set__doesnt_judge_it() -> None:
    found = change((1.0, patchset(2, uploader="acme-ci")), (HOUR, comment("SUCCESS", patchset=2)))
    assert decided(found).outcome is Outcome.BLOCKED


def test_judge__somebody_who_calls_himself_like_the_ci__is_not_heard() -> None:
    assert decided(change((HOUR, comment("SUCCESS", account="acme-ci-2")))).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("subject", "since", "until", "ended", "outcome"),
    [
        ("*", 0, HOUR * 9, None, Outcome.PASS),
        (f"{HOST}/1", 0, HOUR * 9, None, Outcome.PASS),
        (f"{HOST}/2", 0, HOUR * 9, None, Outcome.FAIL),
        ("*", 0, HOUR, None, Outcome.FAIL),
        ("*", HOUR * 3, HOUR * 9, None, Outcome.FAIL),
        ("*", 0, HOUR * 9, T0 + HOUR, Outcome.FAIL),
    ],
)
def test_judge__waiver__holds_for_its_change_and_its_time(
    subject: str, since: float, until: float, ended: float | None, outcome: Outcome
) -> None:
    waiver = Waiver(subject, T0 + since, Waived("1", "acme", "lab moved", "lead", T0 + until), ended)
    assert decided(change((HOUR, comment("FAILURE"))), waivers=(waiver,)).outcome is outcome


def test_judge__waiver__doesnt_make_old_data_new() -> None:
    waiver = Waiver("*", T0, Waived("1", "acme", "lab moved", "lead", T0 + 9 * HOUR), None)
    assert decided(change(), waivers=(waiver,), known_until=T0).outcome is Outcome.UNKNOWN


def test_judge__known_failure__is_excused_only_after_a_retry() -> None:
    label = (HOUR + 9, Labelled("acme", 1, Label.EXCUSED, "signatures"))
    once = change((HOUR, comment("FAILURE")), label)
    twice = change((HOUR, comment("FAILURE")), (HOUR + 5, comment("FAILURE")), label)
    assert decided(once).outcome is Outcome.FAIL
    assert decided(twice).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("files", "message", "result", "outcome"),
    [
        (("driver/new/x.py",), "", None, Outcome.BLOCKED),
        (("driver/acme/x.py",), "Disks\n\nImplements: blueprint disks", "SUCCESS", Outcome.PASS),
        (("driver/acme/x.py",), "Disks\n\nImplements: blueprint disks", "FAILURE", Outcome.BLOCKED),
        (("api/x.py",), "Disks\n\nFeature: disks", "SUCCESS", Outcome.BLOCKED),
    ],
)
def test_judge__new_feature__needs_its_ci_on_this_very_patch_set(
    files: tuple[str, ...], message: str, result: str | None, outcome: Outcome
) -> None:
    said = () if result is None else ((HOUR, comment(result)),)
    waiver = Waiver("*", T0, Waived("1", "acme", "why", "lead", T0 + 9 * HOUR), None)
    assert decided(change(*said, files=files, message=message), waivers=(waiver,)).outcome is outcome


def test_judge__new_feature_whose_verdict_is_carried__is_blocked() -> None:
    found = change(passed(), (HOUR + 1, patchset(2, "NO_CODE_CHANGE")), message="X\n\nFeature: disks")
    assert decided(found).outcome is Outcome.BLOCKED


def test_judge__quorum_any__one_of_them_is_enough() -> None:
    text = POLICY.replace("ci: [acme]}\n  virt.other", "ci: [nobody, acme]}\n  virt.other")
    either = policy_read(text.replace("    max_age: 7d", "    quorum: any"))
    assert decided(change(passed()), policy=either).outcome is Outcome.PASS
    assert decided(change(passed()), policy=policy_read(text)).outcome is Outcome.BLOCKED


@pytest.mark.parametrize(
    "text", ["", "version: 2", "version: 1\nrequire: [{quorum: most}]", "version: 1\nmax_staleness: x", "a: ["]
)
def test_policy__that_makes_no_sense__is_refused(text: str) -> None:
    with pytest.raises(BadPolicy):
        policy_read(text)
