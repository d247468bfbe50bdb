"""Policy: our compiled rules and oslo.policy's say the same."""

import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kilonova.kernel.errors import Forbidden
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.web.policy import Policy, Rule
from kilonova.web.policy_language import BadRule

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oslo_config import cfg
    from oslo_policy import policy as oslo

CHECKS = st.sampled_from(
    [
        "@",
        "!",
        "role:admin",
        "role:Member",
        "role:%(wanted)s",
        "rule:other",
        "rule:missing",
        "project_id:%(project_id)s",
        "project_id:%(target.project.id)s",
        "user_id:%(user_id)s",
        "user_id:%(absent)s",
        "system_scope:all",
        "user_domain_id:default",
        "nobody_has:this",
        "'public':%(visibility)s",
        "'public':public",
        "None:%(nothing)s",
        "True:%(enabled)s",
        "False:%(enabled)s",
        "7:%(number)s",
        "is_admin:True",
        "is_admin:False",
    ]
)


def expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        CHECKS,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(" and ".join),
            st.tuples(inner, inner).map(" or ".join),
            st.tuples(inner, inner).map(" AND ".join),
            inner.map("not {}".format),
            inner.map("({})".format),
            inner.map("( {} )".format),
            inner.map("not ({})".format),
        ),
        max_leaves=6,
    )


CALLERS = st.builds(
    Caller,
    user_id=st.sampled_from([UserId("u1"), UserId("u2")]),
    user_name=st.just("u"),
    project_id=st.sampled_from([ProjectId("p1"), ProjectId("p2"), None]),
    system_scope=st.booleans(),
    roles=st.sets(st.sampled_from(["admin", "member", "Reader"])).map(tuple),
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "project_id": st.sampled_from(["p1", "p2", None]),
        "target.project.id": st.sampled_from(["p1", "p2"]),
        "user_id": st.sampled_from(["u1", "u2"]),
        "visibility": st.sampled_from(["public", "private"]),
        "wanted": st.sampled_from(["admin", "ADMIN", "member", "reader"]),
        "enabled": st.booleans(),
        "nothing": st.none(),
        "number": st.sampled_from([7, 8]),
    },
)


@pytest.fixture(scope="module")
def enforcer() -> Any:
    config = cfg.ConfigOpts()
    config([], project="kilonova", default_config_files=[], default_config_dirs=[])
    return oslo.Enforcer(config, use_conf=False)


@settings(max_examples=600, deadline=None)
@given(text=expressions(), other=expressions(), caller=CALLERS, target=TARGETS)
@example(
    text="role:%(wanted)s",
    other="@",
    caller=Caller(user_id=UserId("u"), user_name="u", roles=("admin",)),
    target={"wanted": "ADMIN"},
)
@example(
    text="not role:admin and role:member or @", other="!", caller=Caller(user_id=UserId("u"), user_name="u"), target={}
)
def test_allows__any_expression__as_oslo_policy(
    enforcer: Any, text: str, other: str, caller: Caller, target: dict[str, Any]
) -> None:
    if "rule:" in other:
        other = "role:member"
    enforcer.set_rules(oslo.Rules.from_dict({"asked": text, "other": other}), overwrite=True, use_conf=False)
    theirs = bool(enforcer.enforce("asked", dict(target), {**caller.credentials, "roles": list(caller.roles)}))
    ours = Policy([Rule("asked", text), Rule("other", other)]).allows("asked", caller, target)
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        "role",
        "(role:admin",
        "role:admin)",
        "role:admin or",
        "not",
        "and role:admin",
        "role:a role:b",
        "http://x/y",
        "()",
    ],
)
def test_policy__expression_that_cannot_be_read__said_with_the_rules_name(text: str) -> None:
    with pytest.raises(BadRule, match="the_rule"):
        Policy([], {"the_rule": text})
    with pytest.raises(BadRule, match="the_rule"):
        Policy([Rule("the_rule", text)]).allows("the_rule", Caller(user_id=UserId("u"), user_name="u"))


def test_policy__override__wins_over_default() -> None:
    caller = Caller(user_id=UserId("u"), user_name="u", roles=("member",))
    assert not Policy([Rule("r", "role:admin")]).allows("r", caller)
    assert Policy([Rule("r", "role:admin")], {"r": "role:member"}).allows("r", caller)


def test_policy__empty_rule__everybody() -> None:
    assert Policy([Rule("r", "")]).allows("r", Caller(user_id=UserId("u"), user_name="u"))


def test_allows__no_target__the_callers_own_project() -> None:
    caller = Caller(user_id=UserId("u"), user_name="u", project_id=ProjectId("p"))
    assert Policy([Rule("r", "project_id:%(project_id)s")]).allows("r", caller)


def test_enforce__not_allowed__forbidden_names_the_rule() -> None:
    with pytest.raises(Forbidden, match="Policy doesn't allow r to be performed"):
        Policy([Rule("r", "!")]).enforce("r", Caller(user_id=UserId("u"), user_name="u"))
