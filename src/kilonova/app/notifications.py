"""Notifications as configured: the publisher and the sink that it hands them to."""

from pathlib import Path

from kilonova.app.config import Notifications
from kilonova.app.foundation import Foundation
from kilonova.kernel.errors import Invalid
from kilonova.notifications.publisher import Publisher, Sink
from kilonova.operations.work import Parts

FILE = "notifications.jsonl"


class NeedsUrl(Invalid):
    """[notifications] sink is "webhook" and url is not set."""

    code = "bad-config"


def publish(foundation: Foundation, parts: Parts) -> None:
    """Publish what happens as long as the cloud runs, if anybody is to be told. Raises `NeedsUrl`."""
    config = foundation.config.notifications
    sink = _sink(foundation, config)
    if sink is not None:
        publisher = Publisher(
            parts.runtime,
            parts.database,
            lambda: [cell.database for cell in parts.cells.all],
            sink,
            config.most_waiting,
        )
        foundation.run("publisher", publisher.run())


def _sink(foundation: Foundation, config: Notifications) -> Sink | None:
    if config.sink == "file":
        from kilonova.notifications.file_sink import FileSink  # noqa: PLC0415 - not in every cloud

        path = foundation.state.path / FILE if config.file is None else Path(config.file).expanduser().absolute()
        return FileSink(path, foundation.runtime, max_bytes=config.max_bytes, backups=config.backups)
    if config.sink == "webhook":
        from kilonova.notifications.webhook import Webhook  # noqa: PLC0415 - not in every cloud

        if config.url is None:
            raise NeedsUrl
        secret = config.secret or foundation.state.secret("webhook-secret", foundation.runtime)
        return Webhook(config.url, secret, foundation.runtime)
    return None
