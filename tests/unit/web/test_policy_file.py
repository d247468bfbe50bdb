"""Policy files."""

import pytest

from kilonova.web.policy_file import BadPolicyFile, policy_read

YAML = """---
# who may look
"placement:traits:list": "@"
placement:traits:show: role:reader or role:admin
'placement:usages': ''   # everybody
"admin_api": "role:admin"
"""


def test_read__yaml_and_json__the_same_rules(tmp_path):
    expected = {
        "placement:traits:list": "@",
        "placement:traits:show": "role:reader or role:admin",
        "placement:usages": "",
        "admin_api": "role:admin",
    }
    yaml, json = tmp_path / "policy.yaml", tmp_path / "policy.json"
    yaml.write_text(YAML)
    json.write_text(str(expected).replace("'", '"'))
    assert policy_read(yaml) == policy_read(json) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"a": "b"\n  - c\n', "policy.yaml:2: expected"),
        ("a:\n  b: c\n", "policy.yaml:2: expected"),
        ('{"a": 1}', "it is no JSON object of texts"),
    ],
)
def test_read__anything_else__says_where(tmp_path, text, said):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(BadPolicyFile, match=said):
        policy_read(file)
    with pytest.raises(BadPolicyFile, match="can't be read"):
        policy_read(tmp_path / "none")
