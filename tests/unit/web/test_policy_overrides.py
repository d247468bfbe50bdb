"""What policy files may override, and what is said of what they may not."""

import pytest

from kilonova.web.policy import Policy, Rule
from kilonova.web.policy_file import BadPolicyFile
from kilonova.web.policy_language import BadRule
from kilonova.web.policy_overrides import overrides_checked, overrides_read

DEFAULTS = (Rule("admin", "role:admin"), Rule("servers:list", "rule:admin"), Rule("servers:show", "rule:admin"))
FORMER = {"servers": ("servers:list", "servers:show")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers:lst": "@"}, "servers:lst: there is no such rule; did you mean 'servers:list'?"),
        ({"entirely": "@"}, "`kilonova policy show` lists"),
        ({"servers:list": "rule:admn"}, "it asks rule:admn, which is not there; did you mean 'admin'?"),
        ({"servers:list": "role:a or"}, "servers:list: it ends too early"),
        ({"admin": "rule:servers:list"}, "it asks itself: admin -> servers:list -> admin"),
        ({"servers:list": "http://x/y"}, "remote checks"),
    ],
)
def test_override__that_cannot_work__says_why(given, said):
    with pytest.raises(BadRule) as refused:
        overrides_checked(given, DEFAULTS, FORMER)
    assert said in refused.value.message


def test_override__former_name__holds_for_the_rules_that_took_its_place():
    assert overrides_checked({"servers": "role:x"}, DEFAULTS, FORMER) == dict.fromkeys(
        ("servers", "servers:list", "servers:show"), "role:x"
    )
    own = {"servers": "role:x", "servers:list": "role:y"}
    assert overrides_checked(own, DEFAULTS, FORMER) == {**own, "servers:show": "role:x"}


def test_override__former_name_that_refers_to_the_new_one__changes_nothing_there():
    assert "servers:list" not in overrides_checked({"servers": "rule:servers:list"}, DEFAULTS, FORMER)


def test_override__rule_of_the_operators_own__is_taken_where_it_is_asked():
    given = {"helpdesk": "role:helpdesk", "servers:show": "rule:helpdesk or rule:admin"}
    assert overrides_checked(given, DEFAULTS, FORMER) == given


def test_read__bad_rule__names_the_file(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text('"servers:list": "role:a role:b"\n')
    with pytest.raises(BadPolicyFile, match=r"policy\.yaml: Policy rule servers:list: cannot read 'role:b'"):
        overrides_read(file, DEFAULTS, FORMER)


def test_replace__bad_rule__old_ones_stay():
    policy = Policy(DEFAULTS, {"servers:list": "@"})
    with pytest.raises(BadRule):
        policy.replace({"servers:list": "("})
    assert policy.text("servers:list") == "@"
    policy.replace({})
    assert policy.text("servers:list") == "rule:admin"
