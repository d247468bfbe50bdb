"""What a mutant is, and how it takes the place of the right thing for a while."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from kilonova.engine.plan import Plan


@dataclass(frozen=True)
class Change:
    """One attribute of a class, or of a step of a plan, that is another."""

    owner: Any
    name: str
    value: Any

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make it, and take it back. Raises AttributeError when there is no such attribute."""
        before = vars(self.owner)[self.name] if self.name in vars(self.owner) else getattr(self.owner, self.name)
        _set(self.owner, self.name, self.value)
        try:
            yield
        finally:
            _set(self.owner, self.name, before)


@dataclass(frozen=True)
class Replaced:
    """A function of a module that is another, wherever it has been imported to."""

    function: Callable[..., Any]
    value: Callable[..., Any]

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make it, and take it back."""
        with ExitStack() as stack:
            for name, module in sorted(sys.modules.items()):
                if name.startswith("kilonova.") and ".mutants" not in name:
                    for attribute, value in list(vars(module).items()):
                        if value is self.function:
                            stack.enter_context(Change(module, attribute, self.value).made())
            yield


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to get the design wrong."""

    name: str
    breaks: str
    """What it no longer does, in words for people."""
    changes: tuple[Change | Replaced, ...]
    scenarios: tuple[str, ...] = ()
    """Where it shows, if not everywhere: see `hunt`."""

    @contextmanager
    def at_large(self) -> Iterator[None]:
        """The cloud is broken like this inside the block."""
        with ExitStack() as stack:
            for change in self.changes:
                stack.enter_context(change.made())
            yield


def of_step(plan: Plan[Any], step: str, **fields: Any) -> tuple[Change, ...]:
    """Another step in a plan."""
    return tuple(Change(plan.step(step), name, value) for name, value in fields.items())


async def nothing(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
    """Do nothing, and say that it is done."""
    return {}


def no_effect(*_args: Any, **_kwargs: Any) -> None:
    """Do nothing."""


def _set(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, type):
        setattr(owner, name, value)
    else:
        object.__setattr__(owner, name, value)
