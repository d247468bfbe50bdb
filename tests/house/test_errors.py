"""House rules of errors."""

import importlib
import pkgutil
from collections.abc import Iterator

import kilonova
from kilonova.kernel.errors import KilonovaError
from kilonova.web.errors import STATUS

UNANSWERED = ("drivers", "engine", "app", "cli", "simulation", "testing")
"""Packages whose own errors end no request: they are written into operations, or end a command."""


def kinds(of: type[KilonovaError] = KilonovaError) -> Iterator[type[KilonovaError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_errors__that_may_end_a_request__have_a_family() -> None:
    packages = {package.name for package in pkgutil.iter_modules(kilonova.__path__, "kilonova.")}
    answered = tuple(f"{name}." for name in packages if name.removeprefix("kilonova.") not in UNANSWERED)
    for module in pkgutil.walk_packages(kilonova.__path__, "kilonova."):
        if f"{module.name}.".startswith(answered) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    families = tuple(family for family, _ in STATUS)
    known = [kind for kind in kinds() if f"{kind.__module__}.".startswith(answered)]
    assert len(known) > len(families)
    assert not [f"{kind.__module__}.{kind.__qualname__}" for kind in known if not issubclass(kind, families)]
