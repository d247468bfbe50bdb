"""2.64: A server group has one policy, with rules; policies and metadata are gone."""

from kilonova.kernel import schemas
from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc, UnknownField


def _many_policies(doc: Doc) -> None:
    doc["policies"] = [doc.pop("policy")]
    doc["metadata"] = {}
    doc.pop("rules", None)


def _one_policy(doc: Doc) -> None:
    doc["policy"] = doc.pop("policies")[0]
    doc.pop("metadata", None)


def _one_policy_asked(doc: Doc) -> None:
    for key in ("policy", "rules"):
        if key in doc:
            raise UnknownField(field=key)
    if "policies" not in doc:
        return
    policies = doc.pop("policies")
    if not isinstance(policies, list) or len(policies) != 1:
        value = str(policies)[:200]
        raise Invalid(
            reason=f"Invalid input for field/attribute policies. Value: {value}. It must be a list of one policy."
        )
    doc["policy"] = policies[0]


def _schema_many_policies(schema: Schema) -> None:
    schemas.swap(schema, {"type": "array", "items": {"type": "string"}}, "policy")
    schemas.rename(schema, "policy", "policies")
    schemas.drop(schema, "rules")
    schemas.put(schema, "metadata", {"type": "object", "maxProperties": 0}, required=True)


def _schema_one_policy_asked(schema: Schema) -> None:
    for one in schemas.objects(schema):
        listed = {"type": "array", "items": one["properties"]["policy"], "minItems": 1, "maxItems": 1}
        one["properties"]["policy"] = listed
    schemas.rename(schema, "policy", "policies")
    schemas.drop(schema, "rules")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-group-policy",
        shape="server_group",
        why="A server group shows one policy and its rules instead of a list of policies and empty metadata.",
        up=_one_policy,
        down=_many_policies,
        schema_down=_schema_many_policies,
        loses=frozenset({"rules"}),
    ),
    Change(
        name="server-group-create-policy",
        shape="server_group_create",
        why="A server group is created with one policy, and with rules if it has any.",
        up=_one_policy_asked,
        schema_down=_schema_one_policy_asked,
    ),
)
