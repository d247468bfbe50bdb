"""Projects: the caller's own, and whether there is one with a given id."""

from kilonova.api.compute import Compute
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller


class NoSuchProject(Invalid):
    """Project ID {id} is not a valid project."""

    code = "no-such-project"


def own_project(caller: Caller) -> ProjectId:
    """The project of a caller's token; the service lets no other tokens in."""
    assert caller.project_id is not None
    return caller.project_id


async def check_project(compute: Compute, project_id: str) -> ProjectId:
    """The id, when there is such a project. Raises `NoSuchProject`."""
    if not await compute.identity.project_exists(project_id):
        raise NoSuchProject(id=project_id[:100])
    return ProjectId(project_id)
