"""`python -m kilonova.cli`: the same as `kilonova`, with a Python of the caller's choice."""

from kilonova.cli.main import main

main(prog_name="kilonova")
