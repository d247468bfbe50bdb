"""`kilonova ci import`: read what happened from files, streams and services."""

import os
import select
import sys
from pathlib import Path

import click
import httpx
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.health.opened import TIMEOUT_S, fetcher, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.health.ci.archive import Archive
from kilonova.health.ci.fetching import import_url
from kilonova.health.ci.importing import SOURCES, reader
from kilonova.health.importing import Imported, Importer
from kilonova.health.moments import moment
from kilonova.runtime.real import RealRuntime

STREAM_BATCH = 100
"""Lines of a stream that are kept together where they come that fast."""


@click.command("import")
@config_options
@click.argument("source", type=click.Choice(SOURCES))
@click.argument("origin", metavar="FILE|URL|-")
@click.option("--host", help="Where the documents are from, for those that don't say so, e.g. review.example.org.")
@click.option("--complete-until", metavar="MOMENT", help="Nothing that happened before is missing. [the last event]")
@json_option
def import_(
    file: Path | None,
    state: str | None,
    source: str,
    origin: str,
    host: str | None,
    complete_until: str | None,
    as_json: bool,
) -> None:
    """Import what SOURCE tells: a file, a URL, or - for standard input.

    To import again changes nothing, and a file is read on from where it was read to. Ends with code 1 when documents could not
    be read; all others are kept. Gerrit's stream comes through a pipe: `ssh ... gerrit stream-events | kilonova ci import
    gerrit-events - --host review.example.org`. GitHub's token is taken from GITHUB_TOKEN.
    """
    path = Path(origin).resolve()
    until = None if complete_until is None else moment(complete_until)

    async def work(archive: Archive) -> Imported:
        if origin.startswith(("http://", "https://")):
            token = os.environ.get("GITHUB_TOKEN") if source == "github" else None
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(timeout=TIMEOUT_S, headers=headers) as client:
                return await import_url(archive.store, source, origin, fetcher(client), RealRuntime().now())
        importer = Importer(archive.store, reader(source, host))
        known = None if host is None else f"{source.partition('-')[0]}:{host}"
        if origin == "-":
            return await _stream(importer, until, known)
        await importer.file(path)
        return await importer.end(until, known)

    imported = with_archive(file, state, work)
    _show(imported, as_json=as_json)
    if imported.refused:
        raise SystemExit(ExitCode.FAILURE)


async def _stream(importer: Importer, until: float | None, known: str | None) -> Imported:
    """Standard input to its end; what has come is kept whenever no more is there yet."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        importer.take(line, f"line {number}")
        if number % STREAM_BATCH == 0 or not select.select([sys.stdin.buffer], [], [], 0)[0]:
            await importer.keep()
    return await importer.end(until, known)


def _show(imported: Imported, *, as_json: bool) -> None:
    if as_json:
        told(msgspec.to_builtins(imported))
        return
    words = f"{imported.new} new, {imported.known} known already, {imported.silent} that say nothing of changes"
    click.echo(f"{words}, {imported.refused} refused")
    for reason in imported.reasons:
        click.echo(f"refused: {reason}", err=True)
