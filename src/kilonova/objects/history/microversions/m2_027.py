"""2.27: The header OpenStack-API-Version asks for a microversion, beside the older X-OpenStack-Nova-API-Version."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="common-version-header",
        shape="headers",
        why="OpenStack-API-Version: compute 2.N asks for a microversion and is answered in kind.",
    ),
)
