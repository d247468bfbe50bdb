"""The server groups of a simulated cloud: each project has one, whose members must not share a host."""

from kilonova.kernel.ids import ProjectId


def group_of(project_id: ProjectId) -> str:
    """The id of a project's group."""
    return f"group-of-{project_id}"
