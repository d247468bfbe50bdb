"""What clients asked for and were told. Servers are known by their names, which are given before there is an id."""

from dataclasses import dataclass, field

from kilonova.kernel.ids import ServerId
from kilonova.simulation.history import History, Promise


@dataclass(frozen=True)
class Accepted:
    """A request about a server that was answered with yes: it has to come to an end."""

    request_id: str
    name: str
    action: str


@dataclass
class Record:
    """All of it, of all clients."""

    history: History = field(default_factory=History)
    ids: dict[str, str] = field(default_factory=dict)
    """Ids of servers by name, as far as clients were told."""
    accepted: list[Accepted] = field(default_factory=list)
    asked: int = 0
    refused: int = 0
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)
    """Answers that nobody may get, whatever goes wrong."""

    def promise(self, name: str) -> Promise | None:
        """What is known of a server; None for one that none of the clients asked for."""
        return self.history.promises.get(ServerId(name))
