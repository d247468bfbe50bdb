"""What attributes a kind of resource has, and reading request bodies strictly by them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova.standalone.network.errors import BadInput, BadRequest
from kilonova.standalone.network.values import BadValue, Check, text_or_empty, words

BULK_MAX = 500
"""Most resources of one POST; bounds how long one request holds the database."""

REQUIRED = object()
"""The default of an attribute that has none: a POST must name it."""
NOT_GIVEN = object()
"""The default of an attribute whose value is worked out when a POST does not name it."""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of a kind of resource."""

    name: str
    """As the API writes it, e.g. `binding:host_id`."""
    check: Check | None = None
    """Reads a value that a client sent; None for attributes that only the service sets."""
    post: bool = True
    """Whether a POST may name it."""
    put: bool = True
    """Whether a PUT may name it."""
    default: Any = NOT_GIVEN
    guarded: bool = False
    """Whether naming it asks the policy rule `create_KIND:NAME` or `update_KIND:NAME`."""
    secret: bool = False
    """Whether seeing it asks the policy rule `get_KIND:NAME`."""


def read_only(*names: str) -> tuple[Attribute, ...]:
    """Attributes that only the service sets."""
    return tuple(Attribute(name=name, post=False, put=False) for name in names)


def standard(*, name: Check = text_or_empty, name_default: Any = "") -> tuple[Attribute, ...]:
    """What every kind of resource has; tags are apart because they have requests of their own."""
    return (
        *read_only("id", "revision_number", "created_at", "updated_at", "tags"),
        Attribute(name="project_id", check=words(), put=False),
        Attribute(name="tenant_id", check=words(), put=False),
        Attribute(name="name", check=name, default=name_default),
        Attribute(name="description", check=text_or_empty, default=""),
    )


class Attributes:
    """The attributes of one kind of resource."""

    def __init__(self, kind: str, attributes: Sequence[Attribute]) -> None:
        """`kind` is the key of a body with one resource, e.g. `network`."""
        self.kind = kind
        self.by_name = {attribute.name: attribute for attribute in attributes}

    def for_create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every attribute of a new resource: checked values, and defaults; `NOT_GIVEN` ones are left out."""
        self._refuse(given, lambda attribute: attribute.post, "Attribute '{name}' not allowed in POST")
        found = {}
        for attribute in self.by_name.values():
            if attribute.name in given:
                found[attribute.name] = _checked(attribute, given[attribute.name])
            elif attribute.default is REQUIRED:
                raise BadRequest(reason=f"Failed to parse request. Required attribute '{attribute.name}' not specified")
            elif attribute.default is not NOT_GIVEN:
                found[attribute.name] = attribute.default
        return found

    def for_update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a PUT changes."""
        self._refuse(given, lambda attribute: attribute.put, "Cannot update read-only attribute {name}")
        return {name: _checked(self.by_name[name], value) for name, value in given.items()}

    def _refuse(self, given: Mapping[str, Any], allowed: Callable[[Attribute], bool], refusal: str) -> None:
        unknown = sorted(name for name in given if name not in self.by_name)
        if unknown:
            raise BadRequest(reason=f"Unrecognized attribute(s) '{', '.join(unknown)[:200]}'")
        for name in given:
            if not allowed(self.by_name[name]):
                raise BadRequest(reason=refusal.format(name=name))


def _checked(attribute: Attribute, value: Any) -> Any:
    assert attribute.check is not None
    try:
        return attribute.check(value)
    except BadValue as error:
        raise BadInput(attribute=attribute.name, reason=str(error)[:500]) from None


def items_of(body: Any, kind: str, collection: str) -> tuple[list[Mapping[str, Any]], bool]:
    """The resources of a POST's body, and whether it came in bulk."""
    if isinstance(body, dict) and set(body) == {collection}:
        items = body[collection]
        if not isinstance(items, list) or not items:
            raise BadRequest(reason=f"Resources required: '{collection}' must be a list that is not empty")
        if len(items) > BULK_MAX:
            raise BadRequest(reason=f"At most {BULK_MAX} {collection} may be created by one request")
        return [_object(item, kind) for item in items], True
    return [item_of(body, kind)], False


def item_of(body: Any, kind: str) -> Mapping[str, Any]:
    """The one resource of a body."""
    if not isinstance(body, dict) or set(body) != {kind}:
        raise BadRequest(reason=f"Resource body required: an object whose only key is '{kind}'")
    return _object(body[kind], kind)


def _object(item: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise BadRequest(reason=f"Invalid input for '{kind}': it must be an object")
    return item
