"""`peer.py CONFIG-DATABASE PROVIDERS PORT`: openstack-placement with those providers. Runs in the judges' environment.

Providers are written straight into its tables, because loading ten thousand through its API takes minutes. It is served by
the standard library's server, which costs next to nothing beside it.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import sqlalchemy as sa
import webob
from oslo_config import cfg
from oslo_policy import opts
from placement import conf, deploy
from placement.db.sqlalchemy import models


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_args: Any) -> None:
        pass


def main() -> None:
    warnings.simplefilter("ignore")
    database, providers, port = sys.argv[1:]
    config = cfg.ConfigOpts()
    conf.register_opts(config)
    config.set_override("connection", f"sqlite:///{database}", "placement_database")
    config.set_override("sync_on_startup", True, "placement_database")
    config.set_override("auth_strategy", "noauth2", "api")
    config([], default_config_files=[])
    opts.set_defaults(config, enforce_new_defaults=False)
    app = deploy.loadapp(config)
    server = make_server("127.0.0.1", int(port), app, handler_class=Quiet)
    ask(app, "/resource_classes")  # it writes its standard names on the first request
    load(database, providers)
    print("ready", flush=True)
    server.serve_forever()


def ask(app: Any, path: str) -> None:
    request = webob.Request.blank(path, headers={"x-auth-token": "admin", "openstack-api-version": "placement 1.39"})
    assert request.get_response(app).status_int == 200


def load(database: str, providers: str) -> None:
    engine, tables = sa.create_engine(f"sqlite:///{database}"), models.BASE.metadata.tables
    with engine.begin() as connection:

        def ids(table: str) -> dict[str, int]:
            columns = tables[table].c
            return dict(connection.execute(sa.select(columns.name, columns.id)).fetchall())

        rows = Rows(ids("traits"), ids("resource_classes"))
        with Path(providers).open() as file:
            for line in file:
                rows.add(json.loads(line))
        for table, values in rows.of.items():
            if values:
                connection.execute(tables[table].insert(), values)
    engine.dispose()


class Rows:
    """What goes into which table."""

    def __init__(self, traits: dict[str, int], classes: dict[str, int]) -> None:
        self.traits, self.classes = traits, classes
        self.providers: dict[str, int] = {}
        self.aggregates: dict[str, int] = {}
        names = (
            *("resource_providers", "inventories", "allocations", "resource_provider_traits"),
            *("placement_aggregates", "resource_provider_aggregates", "consumers", "projects", "users"),
        )
        self.of: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        self.of["projects"].append({"id": 1, "external_id": "bench"})
        self.of["users"].append({"id": 1, "external_id": "bench"})

    def add(self, one: dict[str, Any]) -> None:
        key = self.providers[one["uuid"]] = len(self.providers) + 1
        self.of["resource_providers"].append(
            {
                "id": key,
                "uuid": one["uuid"],
                "name": one["name"],
                "generation": 1,
                "root_provider_id": self.providers[one["root"]],
                "parent_provider_id": self.providers.get(one["parent"]),
            }
        )
        of = {"resource_provider_id": key}
        for name, inventory in one["inventories"].items():
            row = {"min_unit": 1, "step_size": 1, **inventory, **of, "resource_class_id": self.classes[name]}
            self.of["inventories"].append(row)
        if one["used"]:
            consumer = {"id": key, "uuid": one["uuid"], "project_id": 1, "user_id": 1, "generation": 1}
            self.of["consumers"].append(consumer)
        for name, amount in one["used"].items():
            row = {**of, "consumer_id": one["uuid"], "resource_class_id": self.classes[name], "used": amount}
            self.of["allocations"].append(row)
        self.of["resource_provider_traits"] += [{**of, "trait_id": self.traits[name]} for name in one["traits"]]
        for uuid in one["aggregates"]:
            if uuid not in self.aggregates:
                self.aggregates[uuid] = len(self.aggregates) + 1
                self.of["placement_aggregates"].append({"id": self.aggregates[uuid], "uuid": uuid})
            self.of["resource_provider_aggregates"].append({**of, "aggregate_id": self.aggregates[uuid]})


if __name__ == "__main__":
    main()
