"""`kilonova ci signatures`: known failures, what they are found in, and whether they can be trusted."""

import contextlib
from pathlib import Path

import click
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.ci.status import shown_rate
from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.service import Desk, NoBug
from kilonova.health.ci.signatures import PRECISION_MIN, Refused, Signature, Signatures, precision, signature_read
from kilonova.health.importing import NoFile

LOG = click.Path(path_type=Path, dir_okay=False)


@click.group("signatures")
def signatures_group() -> None:
    """Known failures, by the lines that they leave in logs."""


@signatures_group.command("import")
@config_options
@click.argument("path", type=click.Path(path_type=Path))
@at_option
@json_option
def take(file: Path | None, state: str | None, path: Path, when: str | None, as_json: bool) -> None:
    """Put elastic-recheck's signatures in force: a directory of BUG.yaml files, or a JSON object of bug and YAML a line.

    Ends with code 1 when some can't be read; the others are taken. Those before stay known for --at.
    """
    documents = _documents(path)
    read = [signature_read(bug, text) for bug, text in documents.items()]
    refused = [one for one in read if isinstance(one, Refused)]
    kept = {one.bug: documents[one.bug] for one in read if isinstance(one, Signature)}
    with_archive(file, state, lambda archive: archive.signatures_set(kept, moment_of(when)))
    if as_json:
        told({"taken": len(kept), "refused": msgspec.to_builtins(refused)})
    else:
        click.echo(f"{len(kept)} signatures, {len(refused)} refused")
        for one in refused:
            click.echo(f"refused: {one.bug}: {one.reason}", err=True)
    if refused:
        raise SystemExit(ExitCode.FAILURE)


@signatures_group.command("match")
@config_options
@click.argument("logs", nargs=-1, required=True, type=LOG)
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=VALUE", help="What is known of the build, e.g. build_name."
)
@click.option(
    "--run", metavar="ID", help="The failed run: note it with the bugs that are found. Again changes nothing."
)
@click.option("--job", default="ci", show_default=True, help="The job of the run.")
@click.option("--hours", type=click.FloatRange(min=0), default=1.0, show_default=True, help="What the run has cost.")
@at_option
@json_option
def match(
    file: Path | None,
    state: str | None,
    logs: tuple[Path, ...],
    fields: tuple[str, ...],
    run: str | None,
    job: str,
    hours: float,
    when: str | None,
    as_json: bool,
) -> None:
    """Tell which known failures the lines of LOGS speak of. A log's name is its `filename` and its `tags`.

    With --run the bugs get to know what they cost, as `kilonova bugs hit` does it; those that are not known here are left out.
    """
    signatures = _in_force(file, state, when)
    about = {name: value for name, _, value in (field.partition("=") for field in fields)}
    found = [
        {"log": str(log), **msgspec.to_builtins(hit)}
        for log in logs
        for hit in signatures.hits(_read(log), {"filename": str(log), "tags": log.name, **about})
    ]
    bugs = sorted({str(one["bug"]) for one in found})
    noted = [] if run is None else with_desk(file, state, lambda desk: _noted(desk, bugs, job, hours, run, when))
    if as_json:
        told({"hits": found, "noted": noted})
    else:
        table(("bug", "log", "line", "text"), [{**one, "text": one["text"][:100]} for one in found])


@signatures_group.command("test")
@config_options
@click.option("--failing", multiple=True, type=LOG, help="A log of a build that failed.")
@click.option("--passing", multiple=True, type=LOG, help="A log of a build that passed.")
@at_option
@json_option
def test(
    file: Path | None,
    state: str | None,
    failing: tuple[Path, ...],
    passing: tuple[Path, ...],
    when: str | None,
    as_json: bool,
) -> None:
    """Test which signatures are found in logs of builds that passed. Ends with code 1 when one of them is.

    A signature of which the share of hits in failing logs has a lower bound of 0.95 says something; the interval tells whether
    there are enough logs to know.
    """
    rates = precision(_in_force(file, state, when), map(_read, failing), map(_read, passing))
    rows = [
        {"bug": bug, "precision": shown_rate(rate), "trusted": "yes" if rate.low >= PRECISION_MIN else "no"}
        for bug, rate in rates.items()
        if rate.n
    ]
    if as_json:
        told({bug: msgspec.to_builtins(rate) for bug, rate in rates.items() if rate.n})
    else:
        table(("bug", "precision", "trusted"), rows)
    if any(rate.k < rate.n for rate in rates.values()):
        raise SystemExit(ExitCode.FAILURE)


def _in_force(file: Path | None, state: str | None, when: str | None) -> Signatures:
    documents = with_archive(file, state, lambda archive: archive.signatures(moment_of(when)))
    read = [signature_read(bug, text) for bug, text in documents.items()]
    return Signatures([one for one in read if isinstance(one, Signature)])


async def _noted(desk: Desk, bugs: list[str], job: str, hours: float, run: str, when: str | None) -> list[str]:
    """Note a run with each of the bugs that are known; their keys."""
    noted = []
    for bug in bugs:
        with contextlib.suppress(NoBug):
            noted.append((await desk.hit(await desk.key_of(bug), job, hours, moment_of(when), run)).key)
    return noted


def _documents(path: Path) -> dict[str, str]:
    if path.is_dir():
        return {one.stem: _read(one).decode(errors="replace") for one in sorted(path.glob("*.yaml"))}
    try:
        lines = [msgspec.json.decode(line) for line in _read(path).splitlines() if line.strip()]
        return {str(one["bug"]): str(one["yaml"]) for one in lines}
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise NoFile(path=path, reason=f"it is no list of signatures: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoFile(path=path, reason=error.strerror or str(error)) from error
