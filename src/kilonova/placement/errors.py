"""What placement refuses. Codes that begin with `placement.` are the Placement API's own (API reference, "Error codes")."""

from kilonova.kernel.errors import Conflict, Invalid, NotFound


class NoSuchProvider(NotFound):
    """No resource provider with uuid {uuid} found"""

    code = "placement.resource_provider.not_found"


class ProviderInUse(Conflict):
    """Unable to delete resource provider {uuid}: Resource provider has allocations."""

    code = "placement.resource_provider.inuse"


class ProviderIsParent(Conflict):
    """Unable to delete parent resource provider {uuid}: It has child resource providers."""

    code = "placement.resource_provider.cannot_delete_parent"


class BadParent(Invalid):
    """Unable to {verb} resource provider {provider}: {reason}"""


class DuplicateName(Conflict):
    """Conflicting resource provider {what} already exists."""

    code = "placement.duplicate_name"


class ConcurrentUpdate(Conflict):
    """{reason} Please retry your update"""

    code = "placement.concurrent_update"


class InventoryInUse(Conflict):
    """update conflict: Inventory for '{resource_classes}' on resource provider '{uuid}' in use."""

    code = "placement.inventory.inuse"


class BadQuery(Invalid):
    """Invalid query string parameters: {reason}"""


class BadQueryValue(BadQuery):
    """{reason}"""

    code = "placement.query.bad_value"


class DuplicateQuery(Invalid):
    """Query parameter '{parameter}' may be specified only once."""

    code = "placement.query.duplicate_key"


class MissingQuery(Invalid):
    """{reason}"""

    code = "placement.query.missing_value"


class UnknownClass(Invalid):
    """{where}: No such resource class {name}."""


class UnknownTrait(Invalid):
    """{where}: No such trait(s): {names}."""
