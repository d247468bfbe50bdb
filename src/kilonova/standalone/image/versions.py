"""The version document (Image API, "API versions")."""

from collections.abc import Sequence
from typing import Any

from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

VERSIONS = ("v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")
"""2.7 brought hidden images and secure hashes; 2.8 is about several stores, which are not here."""


class Versions:
    """The documents that clients discover the API with."""

    def __init__(self, url: str) -> None:
        """`url` is where clients reach the service."""
        self._url = url

    def routes(self) -> Sequence[Route]:
        """The root, and the same under another name; for anybody."""
        return (
            Route(method="GET", path="/", handler=self.list, success=300, public=True),
            Route(method="GET", path="/versions", handler=self.list, public=True),
        )

    async def list(self, _call: Call) -> Reply:
        """GET / and /versions."""
        return Reply({"versions": [self._document(version) for version in VERSIONS]})

    def _document(self, version: str) -> dict[str, Any]:
        status = "CURRENT" if version == VERSIONS[0] else "SUPPORTED"
        return {"id": version, "status": status, "links": [{"rel": "self", "href": f"{self._url}/v2/"}]}
