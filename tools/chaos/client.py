"""A client that creates servers, acts on them, looks, lists and deletes, and keeps what it was told."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.simulation.history import Promise, Told
from tools.chaos.actions import ACTIONS, ATTACH, DETACH, EVERY, SUITS, Action, Furnished
from tools.chaos.http import AGAIN_S, SERVERS, Http
from tools.chaos.record import Accepted, Record

PROJECT = ProjectId("kilonova")
OWN_SHARE = 0.7
"""How often a client acts on a server of its own; else it takes another client's."""
BLIND_SHARE = 0.1
"""How often it asks for whatever there is, whether the server's state allows that or not."""
PAGE = 4


@dataclass(frozen=True)
class Pace:
    """How much a client does."""

    pause_max_s: float = 0.25
    most: int = 6
    """Servers that it has at a time."""
    actions: tuple[str, ...] = EVERY


class Client:
    """One of several; they share a project and its record."""

    def __init__(
        self, name: str, member: Http, admin: Http, made: Furnished, record: Record, chance: random.Random, pace: Pace
    ) -> None:
        """Ask as a `member` of the project, and for what only administrators may do as `admin`."""
        self._name = name
        self._member = member
        self._admin = admin
        self._made = made
        self._record = record
        self._chance = chance
        self._pace = pace
        self._mine: list[Promise] = []

    async def run(self, ended: asyncio.Event) -> None:
        """Work until the end, and a moment longer: a delete that was begun is asked for until it is answered."""
        doers = (self._create, self._create, *[self._act] * 6, self._show, self._list, self._delete_one)
        while not ended.is_set():
            await self._chance.choice(doers)()
            await asyncio.sleep(self._chance.random() * self._pace.pause_max_s)

    async def _create(self) -> None:
        there = [promise for promise in self._mine if promise.delete is None and promise.server_id in self._record.ids]
        if len(there) >= self._pace.most:
            return await self._delete_one()
        name = ServerId(f"{self._name}-{len(self._mine)}")
        (promise,) = self._record.history.asked([name], PROJECT)
        self._mine.append(promise)
        began = self._record.history.moment()
        answer = await self._member.ask("POST", SERVERS, {"server": {"name": name, **self._made.boot}})
        if answer is None:
            self._record.history.unanswered(promise, self._name, began, "created")
            return None
        if answer.status_code != 202:
            self._record.wrong.append(f"the create of {name} was answered {answer.status_code}: {answer.text[:300]}")
            promise.boot = Told.REFUSED
            return None
        promise.boot = Told.ACCEPTED
        self._record.ids[name] = answer.json()["server"]["id"]
        self._accepted(promise, "boot", answer)
        self._record.history.answered(promise, self._name, began, "created")
        return None

    async def _show(self) -> None:
        promise = self._any()
        if promise is not None:
            await self._look(promise)

    async def _look(self, promise: Promise) -> Mapping[str, Any] | None:
        """The server as it is shown; None when it is not there, or nothing is known of it."""
        server_id = self._record.ids.get(promise.server_id)
        if server_id is None:
            await self._list()
            return None
        began = self._record.history.moment()
        answer = await self._member.ask("GET", f"{SERVERS}/{server_id}")
        if answer is None:
            return None
        if answer.status_code == 404:
            self._record.history.answered(promise, self._name, began, "not found")
            return None
        server: Mapping[str, Any] = answer.json()["server"]
        self._record.history.answered(promise, self._name, began, _shown(server))
        return server

    async def _list(self) -> None:
        """List, in one page or in small ones: every server that is there throughout comes exactly once."""
        known = list(self._record.history.promises.values())
        began = self._record.history.moment()
        seen: dict[str, Mapping[str, Any]] = {}
        limit = self._chance.choice((1000, PAGE))
        params = {"limit": str(limit), "sort_key": "created_at", "sort_dir": "asc"}
        while True:
            answer = await self._member.ask("GET", f"{SERVERS}/detail", params=params)
            if answer is None or answer.status_code != 200:
                return
            page = answer.json()["servers"]
            for server in page:
                if server["name"] in seen:
                    self._record.wrong.append(f"a list had {server['name']} twice")
                seen[server["name"]] = server
                self._record.ids.setdefault(server["name"], server["id"])
            if len(page) < limit:
                break
            params["marker"] = page[-1]["id"]
        for promise in known:
            shown = seen.get(promise.server_id)
            answered = "not found" if shown is None else _shown(shown)
            self._record.history.answered(promise, self._name, began, answered)

    async def _act(self) -> None:
        promise = self._any()
        server = None if promise is None else await self._look(promise)
        if promise is None or server is None:
            return
        suits = [kind for kind in SUITS.get(server["status"], ()) if kind in self._pace.actions]
        if self._chance.random() < BLIND_SHARE or not suits:
            suits = list(self._pace.actions)
        kind = self._chance.choice(suits)
        if kind == ATTACH:
            body = {"interfaceAttachment": {"net_id": self._made.network}}
            await self._asked_to(promise, kind, self._member, "POST", f"{SERVERS}/{server['id']}/os-interface", body)
        elif kind == DETACH:
            await self._detach(promise, str(server["id"]))
        else:
            await self._ask_action(promise, kind, ACTIONS[kind], server)

    async def _ask_action(self, promise: Promise, kind: str, action: Action, server: Mapping[str, Any]) -> None:
        body = {action.key: action.value(self._made, server)}
        who = self._admin if action.by_admin else self._member
        await self._asked_to(promise, kind, who, "POST", f"{SERVERS}/{server['id']}/action", body)

    async def _detach(self, promise: Promise, server_id: str) -> None:
        """Unplug a card, but never the last one."""
        answer = await self._member.ask("GET", f"{SERVERS}/{server_id}/os-interface")
        cards = answer.json()["interfaceAttachments"] if answer is not None and answer.status_code == 200 else []
        if len(cards) > 1:
            path = f"{SERVERS}/{server_id}/os-interface/{cards[-1]['port_id']}"
            await self._asked_to(promise, DETACH, self._member, "DELETE", path)

    async def _asked_to(self, promise: Promise, kind: str, who: Http, method: str, path: str, body: Any = None) -> None:
        """Ask for an action; whatever the answer is, it is kept."""
        began = self._record.history.moment()
        answer = await who.ask(method, path, body)
        if answer is None:
            return
        if answer.is_success:
            self._accepted(promise, kind, answer)
            self._record.history.answered(promise, self._name, began, "acted on")
            return
        self._record.refused += 1
        told = {404: "not found", 409: "in conflict"}.get(answer.status_code)
        if told is not None and kind != DETACH:  # its 404 may be the card's
            self._record.history.answered(promise, self._name, began, told)

    async def _delete_one(self) -> None:
        promise = self._any()
        if promise is None or promise.server_id not in self._record.ids:
            return
        path = f"{SERVERS}/{self._record.ids[promise.server_id]}"
        if promise.delete is None:
            promise.delete = Told.ASKED
        while True:
            began = self._record.history.moment()
            answer = await self._member.ask("DELETE", path)
            if answer is not None:
                break
            self._record.history.unanswered(promise, self._name, began, "deleted")
            await asyncio.sleep(AGAIN_S)
        if answer.status_code in {204, 404}:
            told = "deleted" if answer.status_code == 204 else "not found"
            self._record.history.answered(promise, self._name, began, told)
            promise.delete = Told.ACCEPTED
        else:
            self._record.wrong.append(f"DELETE {path} was answered {answer.status_code}: {answer.text[:300]}")

    def _any(self) -> Promise | None:
        """A server that nobody has deleted yet, as far as this client knows; its own or another one."""
        every = list(self._record.history.promises.values())
        some = self._mine if self._chance.random() < OWN_SHARE else every
        there = [promise for promise in some if promise.delete is None]
        return self._chance.choice(there) if there else None

    def _accepted(self, promise: Promise, kind: str, answer: httpx.Response) -> None:
        self._record.accepted.append(Accepted(answer.headers["X-Openstack-Request-Id"], promise.server_id, kind))


def _shown(server: Mapping[str, Any]) -> str:
    """The answer that shows a server, as `simulation.history` names it."""
    return "shown building" if server["OS-EXT-STS:vm_state"] == "building" else "shown made"
