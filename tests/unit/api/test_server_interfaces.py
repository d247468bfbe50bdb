"""What is said of an operation that has not attached its card."""

import pytest

from kilonova.api.server_interfaces import NotAttached, NotYetAttached, _check_done
from kilonova.kernel.errors import Conflict, KilonovaError
from kilonova.kernel.ids import OperationId, ProjectId, ServerId, UserId
from kilonova.objects.operation import Operation, OperationState


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OperationState.RUNNING, NotYetAttached),
        (OperationState.FAILED, NotAttached),
        (OperationState.SUPERSEDED, Conflict),
    ],
)
def test_attach__not_done_with_its_port_made__says_why(state: OperationState, said: type[KilonovaError]) -> None:
    operation = Operation(
        id=OperationId("o"),
        server_id=ServerId("s"),
        project_id=ProjectId("p"),
        user_id=UserId("u"),
        request_id="r",
        kind="attach_interface",
        state=state,
        outputs={"nic": {"port_id": "port"}},
        deadline=0.0,
        created_at=0.0,
        updated_at=0.0,
    )
    with pytest.raises(said):
        _check_done(operation)
