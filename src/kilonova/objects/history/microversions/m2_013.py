"""2.13: Server groups show their project and user."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added("server_group", "project_id", "user_id", name="server-group-owner", why="Server groups show whose they are."),
)
