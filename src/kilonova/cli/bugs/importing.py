"""`kilonova bugs import`: bugs from trackers, and what commits say about them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.health.opened import TIMEOUT_S, fetcher, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.health.bugs.commits import CommitText
from kilonova.health.bugs.fetching import import_bugs
from kilonova.health.bugs.trackers.reading import SOURCES, commit_document, reader
from kilonova.health.ci.archive import Archive
from kilonova.health.importing import BATCH, Imported, Importer, NoFile
from kilonova.runtime.real import RealRuntime

_TOKENS = {"launchpad": ("KILONOVA_LAUNCHPAD_AUTHORIZATION", "{}"), "github": ("GITHUB_TOKEN", "Bearer {}")}
"""Where each tracker's credentials are in the environment, and how they are sent."""


@click.command("import")
@config_options
@click.argument("source", type=click.Choice(SOURCES))
@click.argument("origin", metavar="FILE|URL|REPOSITORY")
@click.option("--project", metavar="NAME", help="Of Launchpad, whose part of a bug counts, e.g. nova.")
@click.option("--tracker", metavar="NAME", help="Of commits, whose numbers they name: github/OWNER/NAME.  [launchpad]")
@json_option
def import_(
    file: Path | None,
    state: str | None,
    source: str,
    origin: str,
    project: str | None,
    tracker: str | None,
    as_json: bool,
) -> None:
    """Import what SOURCE tells: a file of entries as its API gives them (one a line, or a list), a URL, or a git repository.

    To import again changes nothing; what was broken off goes on where it was. Ends with code 1 when documents could not be read;
    all others are kept. Credentials are taken from GITHUB_TOKEN and KILONOVA_LAUNCHPAD_AUTHORIZATION.
    """
    named = tracker if source == "commits" else project
    path = Path(origin).absolute()

    async def work(archive: Archive) -> Imported:
        if origin.startswith(("http://", "https://")):
            async with httpx.AsyncClient(timeout=TIMEOUT_S, headers=credentials(source)) as client:
                now = RealRuntime().now()
                return await import_bugs(archive.store, source, origin, fetcher(client), now, project)
        importer = Importer(archive.store, reader(source, named))
        if source == "commits" and path.is_dir():
            return await _repository(importer, path)
        return await importer.file(path)

    imported = with_archive(file, state, work)
    if as_json:
        told(msgspec.to_builtins(imported))
    else:
        words = f"{imported.new} new, {imported.known} known already, {imported.silent} that say nothing of bugs"
        click.echo(f"{words}, {imported.refused} refused")
        for reason in imported.reasons:
            click.echo(f"refused: {reason}", err=True)
    if imported.refused:
        raise SystemExit(ExitCode.FAILURE)


def credentials(source: str) -> dict[str, str]:
    """What a tracker is to be asked with; nothing where the environment has no credentials."""
    variable, form = _TOKENS.get(source, ("", ""))
    secret = os.environ.get(variable) if variable else None
    return {"Authorization": form.format(secret)} if secret else {}


async def _repository(importer: Importer, path: Path) -> Imported:
    for number, commit in enumerate(commits_in(path), 1):
        importer.take(commit_document(commit), commit.commit)
        if number % BATCH == 0:
            await importer.keep()
    return await importer.end()


def commits_in(path: Path) -> Iterator[CommitText]:
    """The commits of every branch and tag of a git repository, each with the first release that has it. Raises `NoFile`."""
    log = _git(path, "log", "--all", "--no-merges", "--format=%H%x1f%ct%x1f%B%x1e")
    commits = [part.strip("\n").split("\x1f", 2) for part in log.split("\x1e") if part.strip()]
    ids = "\n".join(id_ for id_, _, _ in commits)
    names = _git(path, "name-rev", "--tags", "--name-only", "--annotate-stdin", told=ids).splitlines()
    for (id_, at, text), name in zip(commits, names, strict=True):
        release = "" if name == id_ else name.partition("~")[0].partition("^")[0]
        yield CommitText(id_, float(at), text, release)


def _git(path: Path, *words: str, told: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the words are ours
            ["git", "-C", str(path), *words],  # noqa: S607 - whichever git the person has
            input=told,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise NoFile(path=path, reason=f"git can't be run: {error}") from error
    if done.returncode:
        raise NoFile(path=path, reason=done.stderr.strip() or "git has failed")
    return done.stdout
