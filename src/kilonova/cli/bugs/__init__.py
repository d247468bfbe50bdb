"""`kilonova bugs`: triage that keeps its promises. One module for each group of commands."""

import click

from kilonova.cli.bugs.duty import note, queue, show
from kilonova.cli.bugs.figures import release, stats
from kilonova.cli.bugs.importing import import_
from kilonova.cli.bugs.reports import duplicates, open_, set_
from kilonova.cli.bugs.site import pages
from kilonova.cli.bugs.syncing import hit, sync
from kilonova.cli.bugs.tidying import rules


@click.group("bugs")
def command() -> None:
    """Import bugs, and triage them in the order in which promises break."""


for one in (import_, queue, show, set_, open_, duplicates, rules, note, stats, release, sync, hit, pages):
    command.add_command(one)
