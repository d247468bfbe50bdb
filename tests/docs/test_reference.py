"""Pages that are made from the program say what the program does."""

from tools.reference import pages, written


def test_pages__made_from_the_program__up_to_date() -> None:
    stale = [page.name for page, content in pages().items() if page.read_text() != written(page, content)]
    assert not stale, "write them anew with: .venv/bin/python -m tools.reference"
