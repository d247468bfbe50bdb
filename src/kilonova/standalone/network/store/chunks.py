"""Reading what belongs to many rows, a bounded number of ids at a time: databases limit the parameters of a statement."""

from collections.abc import Iterator, Sequence

CHUNK = 500


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in slices that one statement can take."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
