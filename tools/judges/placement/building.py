"""Makes what the package's fixtures want (providers, inventories, traits, allocations) through the API.

`Building` has the names that the fixtures call their helpers by, and takes the place of the module that has them, which
writes into the package's own database.
"""

import json
import uuid
from collections.abc import Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

from oslo_utils.fixture import uuidsentinel
from served import Served

VERSION = "1.39"


class Building:
    """The fixtures' helpers, over HTTP."""

    def __init__(self, served: Served) -> None:
        """Build in what `served` runs when a helper is called."""
        self._served = served

    def create_provider(
        self, _context: object, name: str, *aggregates: str, parent: str | None = None, uuid: str | None = None
    ) -> SimpleNamespace:
        """Make a provider, a member of `aggregates`."""
        uuid = uuid or getattr(uuidsentinel, name)
        body = {"name": name, "uuid": uuid} | ({"parent_provider_uuid": parent} if parent else {})
        self._ask("POST", "/resource_providers", body)
        provider = SimpleNamespace(uuid=uuid, name=name, set_aggregates=partial(self._set_aggregates, uuid))
        if aggregates:
            provider.set_aggregates(aggregates)
        return provider

    def ensure_class(self, context: object, name: str) -> SimpleNamespace:
        """A resource class, which is made with `create`."""
        return SimpleNamespace(name=name, create=partial(self._ask, "PUT", f"/resource_classes/{name}"))

    def add_inventory(self, provider: SimpleNamespace, resource_class: str, total: int, **more: float) -> None:
        """Give a provider one inventory more."""
        if resource_class.startswith("CUSTOM_"):
            self._ask("PUT", f"/resource_classes/{resource_class}")
        body = {"resource_class": resource_class, "total": total, "max_unit": total, **more}
        body["resource_provider_generation"] = self._generation(provider.uuid)
        self._ask("POST", f"/resource_providers/{provider.uuid}/inventories", body)

    def set_traits(self, provider: SimpleNamespace, *traits: str) -> None:
        """Give a provider exactly these traits."""
        for trait in traits:
            if trait.startswith("CUSTOM_"):
                self._ask("PUT", f"/traits/{trait}")
        body = {"traits": traits, "resource_provider_generation": self._generation(provider.uuid)}
        self._ask("PUT", f"/resource_providers/{provider.uuid}/traits", body)

    def create_user_and_project(
        self, _context: object, prefix: str = "fake"
    ) -> tuple[SimpleNamespace, SimpleNamespace]:
        """A user and a project; placement learns of them with their first allocation."""
        return SimpleNamespace(external_id=f"{prefix}-user"), SimpleNamespace(external_id=f"{prefix}-project")

    def ensure_consumer(
        self, _context: object, user: SimpleNamespace, project: SimpleNamespace, consumer_id: str | None = None
    ) -> SimpleNamespace:
        """A consumer; placement learns of it with its first allocation."""
        return SimpleNamespace(uuid=consumer_id or str(uuid.uuid4()), user=user, project=project)

    def set_allocation(
        self, _context: object, provider: SimpleNamespace, consumer: SimpleNamespace, amounts: dict[str, int]
    ) -> None:
        """Let a consumer hold exactly this. At a version before types and generations, as the package's database has it."""
        body = {
            "allocations": {provider.uuid: {"resources": amounts}},
            "project_id": consumer.project.external_id,
            "user_id": consumer.user.external_id,
        }
        self._ask("PUT", f"/allocations/{consumer.uuid}", body, "1.12")

    def _set_aggregates(self, provider: str, aggregates: Iterable[str]) -> None:
        body = {"aggregates": list(aggregates), "resource_provider_generation": self._generation(provider)}
        self._ask("PUT", f"/resource_providers/{provider}/aggregates", body)

    def _generation(self, provider: str) -> int:
        return self._ask("GET", f"/resource_providers/{provider}")["generation"]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, version: str = VERSION) -> Any:
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": f"placement {version}"}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        connection = self._served.connection()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {said.decode()}")
        return json.loads(said) if said else None
