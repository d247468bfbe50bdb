"""What placement refuses. Codes that begin with `placement.` are the Placement API's own (API reference, "Error codes")."""

from kilonova.kernel.errors import Conflict, Invalid, NotFound


class NoSuchProvider(NotFound):
    """No resource provider with uuid {uuid} found"""

    code = "placement.resource_provider.not_found"


class ProviderInUse(Conflict):
    """Unable to delete resource provider {uuid}: Resource provider has allocations."""

    code = "placement.resource_provider.inuse"


class DuplicateName(Conflict):
    """Conflicting resource provider {field}: {value} already exists."""

    code = "placement.duplicate_name"


class ConcurrentUpdate(Conflict):
    """{reason} Please retry your update"""

    code = "placement.concurrent_update"


class InventoryInUse(Conflict):
    """Inventory for '{resource_class}' on resource provider '{uuid}' in use."""

    code = "placement.inventory.inuse"


class BadQuery(Invalid):
    """Invalid query parameter {parameter}: {reason}"""

    code = "placement.query.bad_value"


class DuplicateQuery(Invalid):
    """The query parameter {parameter} may be given only once."""

    code = "placement.query.duplicate_key"


class MissingQuery(Invalid):
    """The query parameter {parameter} is required."""

    code = "placement.query.missing_value"


class UnknownClass(Invalid):
    """Unknown resource class in {where}: {name}. See GET /resource_classes for those that exist."""


class UnknownTrait(Invalid):
    """No such trait(s): {names}. See GET /traits for those that exist."""
