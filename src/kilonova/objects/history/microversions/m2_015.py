"""2.15: Server groups may be soft: affinity as a wish, not as a rule."""

from kilonova.kernel import schemas
from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc


def _no_soft_policies(doc: Doc) -> None:
    policies = doc.get("policies")
    for policy in policies if isinstance(policies, list) else ():
        if policy in ("soft-affinity", "soft-anti-affinity"):
            raise Invalid(
                reason=f"Invalid input for field/attribute policies. Value: {policy}. It needs microversion 2.15."
            )


def _schema_hard(schema: Schema) -> None:
    for one in schemas.objects(schema):
        one["properties"]["policies"]["items"] = {"enum": ["affinity", "anti-affinity"]}


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-group-soft-policies",
        shape="server_group_create",
        why="The policies soft-affinity and soft-anti-affinity are accepted.",
        up=_no_soft_policies,
        schema_down=_schema_hard,
    ),
)
