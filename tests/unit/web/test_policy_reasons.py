"""Why a rule says no."""

from hypothesis import given, settings

from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.web.policy import Policy, Rule
from kilonova.web.policy_reasons import Reasons
from unit.web.test_web_policy import CALLERS, TARGETS, expressions

RULES = (
    Rule("context_is_admin", "role:admin"),
    Rule("member", "role:member and project_id:%(project_id)s"),
    Rule("member_or_admin", "rule:member or rule:context_is_admin"),
    Rule("plain", "is_admin:True"),
    Rule("odd", "not role:reader and rule:gone"),
)


def caller(*roles: str) -> Caller:
    return Caller(user_id=UserId("u"), user_name="u", project_id=ProjectId("p"), roles=roles)


def said(rule, one, **target):
    return [line.strip() for line in Reasons(Policy(RULES), one, target or None).lines(rule)]


def test_lines__allowed__none():
    assert said("member_or_admin", caller("member")) == []
    assert said("member_or_admin", caller("admin"), project_id="q") == []


def test_lines__each_way_in__the_part_that_fails():
    assert said("member_or_admin", caller("member"), project_id="q") == [
        "none of these holds:",
        "rule:member is role:member and project_id:%(project_id)s",
        "project_id:%(project_id)s wants q, and the caller has p",
        "rule:context_is_admin is role:admin",
        "role:admin is not among the caller's roles: member",
    ]


def test_lines__what_the_target_lacks_and_what_is_not_there():
    assert said("member", caller("member"), user_id="u") == [
        "project_id:%(project_id)s asks for what the target does not have"
    ]
    assert said("odd", caller("reader")) == ["not ... fails, because role:reader holds"]
    assert said("odd", caller()) == ["rule:gone is not there"]


def test_is_admin__means_what_the_rule_of_administrators_says():
    assert said("plain", caller("member")) == ["is_admin:True wants True, and the caller has False"]
    bosses = Policy(RULES, {"context_is_admin": "role:boss"})
    assert bosses.allows("plain", caller("boss"))
    assert not bosses.allows("plain", caller("admin"))


@settings(max_examples=200, deadline=None)
@given(text=expressions(), one=CALLERS, target=TARGETS)
def test_lines__any_expression__some_exactly_when_refused(text, one, target):
    policy = Policy([Rule("asked", text), Rule("other", "role:member")])
    assert bool(Reasons(policy, one, target).lines("asked")) != policy.allows("asked", one, target)
