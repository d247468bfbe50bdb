"""Options that several commands share, and what becomes of them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kilonova.app.config import Config
from kilonova.app.config_sources import FILE_VARIABLE, load

F = TypeVar("F", bound=Callable[..., Any])


def config_options(command: F) -> F:
    """Give a command `--state` and `--config`."""
    command = click.option(
        "--config", "file", type=click.Path(path_type=Path), envvar=FILE_VARIABLE, help="Configuration file (TOML)."
    )(command)
    return click.option("--state", metavar="DIR", help="State directory; ~/.local/share/kilonova if not given.")(
        command
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def loaded(file: Path | None, **up: Any) -> Config:
    """The configuration from the file, the environment and the flags of `[up]`. Raises `BadConfig`."""
    return load(file, os.environ, {"up": up})
