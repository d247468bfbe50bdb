"""Query parameters: which ones a route knows at the caller's microversion, and what happens to the others.

Before strictness came (2.75 for most lists, 2.102 for everything, 2.53 for hypervisors) unknown parameters are ignored;
from then on they are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kilonova.api.fields import Truth
from kilonova.api.shapes import Gives, Takes
from kilonova.kernel.errors import Invalid
from kilonova.web.call import Call
from kilonova.web.routing import Route


class BadParameter(Invalid):
    """Invalid input for query parameters {name}. Value: {value}. {reason}"""

    code = "bad-parameter"


class UnknownParameter(Invalid):
    """Invalid input for query parameters {name}. Additional properties are not allowed ('{name}' was unexpected)"""

    code = "unknown-parameter"


class Asked(dict[str, list[str]]):
    """The parameters of one request that its route knows at its microversion, with all their values."""

    def one(self, name: str) -> str | None:
        """The last value of a parameter; None when it was not given."""
        values = self.get(name)
        return values[-1] if values else None

    def whole(self, name: str, *, low: int = 0) -> int | None:
        """A parameter as a number. Raises `BadParameter`."""
        text = self.one(name)
        if text is None:
            return None
        number = int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18 else None
        if number is None or number < low:
            raise BadParameter(name=name, value=text[:100], reason=f"It must be a whole number from {low} on.")
        return number

    def truth(self, name: str) -> bool | None:
        """A parameter as a truth value. Raises `BadParameter`."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return bool(Truth.read(text))
        except ValueError as error:
            raise BadParameter(name=name, value=text[:100], reason="It must be true or false.") from error


@dataclass(frozen=True)
class Query:
    """What may stand in the query of a route."""

    names: Sequence[str] = ()
    """Every parameter that any microversion knows."""
    shape: str = "query"
    """Under this name the line's changes say since when each parameter is known (`ignored_before`)."""
    strict: str | None = "strict-queries"
    """The change since which unknown parameters are refused; None for never."""
    private: bool = False
    """Whether names that begin with `_` are ignored at every microversion."""

    def read(self, call: Call) -> Asked:
        """The parameters of `call`. Raises `UnknownParameter` where its microversion refuses them."""
        asked = Asked()
        level = call.version
        for name, value in call.query:
            if name in self.names:
                asked.setdefault(name, []).append(value)
        level.up(self.shape, asked)
        if self.strict is not None and level.has(self.strict):
            for name, _ in call.query:
                if name not in asked and not (self.private and name.startswith("_")):
                    raise UnknownParameter(name=name[:100])
        return asked


NO_PARAMETERS = Query()


@dataclass(frozen=True, kw_only=True)
class ComputeRoute(Route):
    """A route of the Compute API, with the query that it takes.

    A handler whose route has a query of its own calls its `read`; where there is none, the service sees to it that
    nothing is asked.
    """

    query: Query = NO_PARAMETERS
    takes: Takes | None = None
    """What its body holds."""
    gives: tuple[Gives, ...] | None = None
    """Its answers of success; the service's document (`openapi.py`) leaves out routes that don't say."""
    faults: tuple[int, ...] = ()
    """Error codes that it answers besides those that all routes of its kind may."""
    summary: str | None = None
    """One sentence; the first of its handler's docstring when None."""
