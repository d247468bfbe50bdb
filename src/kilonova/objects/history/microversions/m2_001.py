"""2.1: The first microversion: what was v2.0, with strict validation of request bodies."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="strict-validation",
        shape="request",
        why="Request bodies are validated strictly: unknown fields and padded names are refused.",
        effect=True,
    ),
)
