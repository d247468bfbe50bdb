"""`kilonova ci matrix`: which drivers are supported with which features, by evidence."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.ci.status import shown_rate
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.desk import Desk
from kilonova.health.ci.matrix import matrix_of
from kilonova.health.ci.voting import Thresholds
from kilonova.health.moments import duration, shown


@click.command("matrix")
@config_options
@click.option("--release", default="26w", metavar="DURATION", help="How long a release takes. [26w]")
@at_option
@json_option
def matrix(file: Path | None, state: str | None, release: str, when: str | None, as_json: bool) -> None:
    """Show features by drivers, each by what their CI has shown; and which drivers are supported, or proposed for removal."""
    at = moment_of(when)
    rows = with_archive(file, state, lambda archive: Desk(archive).status(at, Thresholds()))
    found = matrix_of(rows, at, duration(release))
    if as_json:
        told(msgspec.to_builtins(found))
        return
    drivers = [
        {
            "driver": one.name,
            "supported": "yes" if one.supported else "no",
            "since": shown(one.unsupported_since),
            "remove": "proposed" if one.remove else "-",
            "reason": one.reason,
        }
        for one in found.drivers
    ]
    table(("driver", "supported", "since", "remove", "reason"), drivers)
    click.echo()
    cells = [
        {
            "feature": one.feature,
            "driver": one.driver,
            "level": one.level,
            "passes": "-" if one.passes is None else shown_rate(one.passes),
            "last": shown(one.last_at),
        }
        for one in found.cells
    ]
    table(("feature", "driver", "level", "passes", "last"), cells)
