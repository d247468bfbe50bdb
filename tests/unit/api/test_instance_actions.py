"""From the log of an operation to the events of an instance action."""

from kilonova.api.instance_actions import paired
from kilonova.kernel.ids import OperationId
from kilonova.objects.operation import OperationEvent


def log(*lines: tuple[str, str]) -> list[OperationEvent]:
    return [
        OperationEvent(
            operation_id=OperationId("1"), seq=seq, step=step, result=result, epoch=1, host=None, at=float(seq)
        )
        for seq, (step, result) in enumerate(lines)
    ]


def told(*lines: tuple[str, str]) -> list[tuple[str, str | None]]:
    return [(start.step, None if end is None else end.result) for start, end in paired(log(*lines))]


def test_paired__steps_done__newest_first() -> None:
    lines = (("ports", "started"), ("ports", "done"), ("spawn", "started"), ("spawn", "done"))
    assert told(*lines) == [("spawn", "done"), ("ports", "done")]


def test_paired__step_that_runs__has_no_end() -> None:
    assert told(("ports", "started")) == [("ports", None)]


def test_paired__retries__are_one_event() -> None:
    lines = (("ports", "started"), ("ports", "retried"), ("ports", "started"), ("ports", "done"))
    assert told(*lines) == [("ports", "done")]


def test_paired__failed_and_undone__are_two_events() -> None:
    lines = (("spawn", "started"), ("spawn", "failed"), ("spawn", "started"), ("spawn", "undone"), ("claim", "undone"))
    assert told(*lines) == [("claim", "undone"), ("spawn", "undone"), ("spawn", "failed")]


def test_paired__superseded_before_it_began__is_an_event() -> None:
    assert told(("spawn", "superseded")) == [("spawn", "superseded")]
