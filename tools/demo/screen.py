"""What the person sees: steps with their times, commands as they run, waits that move."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table


class Screen:
    """The terminal, or a plain log where there is none."""

    def __init__(self) -> None:
        """Begin with an empty summary."""
        self._console = Console(highlight=False, soft_wrap=True)
        self._times: list[tuple[str, float]] = []

    def chapter(self, title: str) -> None:
        """Announce what comes next."""
        self._console.print(f"\n[bold cyan]{title}[/]")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that something is under way, and how long it took."""
        begun = time.monotonic()
        with self._console.status(f"{what} ..."):
            yield
        took = time.monotonic() - begun
        self._times.append((what, took))
        self._console.print(f"[green]✓[/] {what} [dim]({took:.1f} s)[/]")

    def command(self, words: str) -> None:
        """Show a command that is about to run."""
        self._console.print("[bold]$ [/]", end="")
        self._console.print(words, markup=False, style="bold")

    def output(self, text: str) -> None:
        """Show what a program printed, as it is."""
        self._console.print(text.rstrip("\n"), markup=False)

    def note(self, text: str) -> None:
        """Say something in passing."""
        self._console.print(text, markup=False, style="dim")

    def proven(self, what: str) -> None:
        """Show one thing that was checked and holds."""
        self._console.print("[green]✓[/] ", end="")
        self._console.print(what, markup=False)

    def failed(self, what: str) -> None:
        """Show what went wrong, or not as wished."""
        self._console.print(what, markup=False, style="bold red")

    def summary(self, total_s: float, state: Path) -> None:
        """Show how long everything took."""
        table = Table(title="How long it took", title_justify="left")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for what, took in self._times:
            table.add_row(what, f"{took:.1f}")
        table.add_section()
        table.add_row("all of it, with every call of the client", f"{total_s:.1f}")
        self._console.print()
        self._console.print(table)
        self._console.print(f"Nothing runs any more. The state directory is {state}; remove it when you like.")
        self._console.print("Next: `make up` starts a cloud that stays.")
