"""`kilonova`: the commands, and how errors end them.

Commands are imported when they are called: `kilonova --help` costs no more than this file.
"""

import gc
from importlib import import_module

import click
from typing_extensions import override

import kilonova
from kilonova.cli.exit_codes import exit_code
from kilonova.kernel.errors import KilonovaError

COMMANDS = {
    "up": "Start a cloud and stay in the foreground.",
    "serve": "Run one role of a cloud as a process of its own.",
    "status": "Tell whether a cloud runs, where, and what it holds.",
    "stop": "Stop the cloud; its servers run on.",
    "env": "Print what a shell needs to use the cloud.",
    "operation": "Look after operations: list, show, retry, abandon, supersede.",
    "scheduler": "Ask why, or replay a day: explain, simulate.",
    "policy": "See who may do what, and why not: show, check, sample.",
    "placement": "See what the cloud has and has given: status, audit, show.",
    "ssh": "Log in to a server.",
    "ci": "Watch, score and enforce third-party CI: import, status, gate.",
    "health": "Show the health of a project: serve.",
    "bugs": "Triage bugs: import, queue, duplicates, rules, stats.",
    "report": "Collect what a bug report needs, without secrets.",
    "reset": "Remove a state directory and all that is in it.",
    "api": "Tell what the Compute API is at a microversion: openapi, changes.",
    "config": "Show the configuration in force.",
    "sim": "Run the whole cloud in one seeded simulation, under faults.",
    "version": "Print the version.",
}

GARBAGE_EVERY = 50_000
"""New containers between two looks for garbage: a list of 1,000 servers makes more than Python's 700 many times over."""


class Commands(click.Group):
    """A group whose commands live in a module each, named like the command."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # what is imported stays: looking for garbage in it takes an eighth of a cold start
        command = import_module(f"kilonova.cli.{cmd_name}").command
        gc.enable()
        gc.freeze()
        gc.set_threshold(GARBAGE_EVERY)
        assert isinstance(command, click.Command)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    @override
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KilonovaError as error:
            click.echo(f"kilonova: {error.message}", err=True)
            ctx.exit(exit_code(error))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(kilonova.__version__, message="%(version)s")
def main() -> None:
    """A whole OpenStack Compute cloud in one process.

    Begin with `kilonova up`, then `eval "$(kilonova env)"` in another terminal, and `openstack server list`.
    """
