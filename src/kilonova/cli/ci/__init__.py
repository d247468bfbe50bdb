"""`kilonova ci`: third-party CI watched, scored and enforced. One module for each group of commands."""

import click

from kilonova.cli.ci.gate import backtest_, gate
from kilonova.cli.ci.importing import import_
from kilonova.cli.ci.matrix import matrix
from kilonova.cli.ci.registry import registry
from kilonova.cli.ci.signatures import signatures_group
from kilonova.cli.ci.state import state_group
from kilonova.cli.ci.status import status
from kilonova.cli.ci.waiver import label, waiver


@click.group("ci")
def command() -> None:
    """Watch, score and enforce third-party CI."""


for one in (import_, registry, status, matrix, state_group, gate, backtest_, waiver, label, signatures_group):
    command.add_command(one)
