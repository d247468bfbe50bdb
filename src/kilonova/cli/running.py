"""The cloud that runs on a state directory, and how the person at the keyboard asks it."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from kilonova.app.clouds_yaml import is_own_authority
from kilonova.app.paths import OWN, PATHS
from kilonova.app.state import Running, read_running
from kilonova.kernel.errors import Conflict, KilonovaError, Unavailable

TIMEOUT_S = 10.0


class NotRunning(Conflict):
    """No cloud runs on {path}; `kilonova up` starts one."""

    code = "not-running"


class Refused(KilonovaError):
    """The cloud answered {status}: {message}"""

    code = "refused"


def running(path: Path) -> Running:
    """The cloud that runs on the state directory `path`. Raises `NotRunning`."""
    found = read_running(path)
    if found is None:
        raise NotRunning(path=path)
    return found


class Admin:
    """Asks the cloud's services in the name of its built-in administrator."""

    def __init__(self, path: Path, found: Running) -> None:
        """Log in with the password that the state directory keeps.

        Raises:
            Unavailable: the cloud doesn't answer, or has its identities elsewhere.
        """
        self._http = httpx.Client(base_url=found.url, timeout=TIMEOUT_S, verify=_trust(found), trust_env=False)
        try:
            password = (path / "secrets" / "admin-password").read_text(encoding="ascii")
        except OSError as error:
            raise Unavailable(service="the identity service", reason="its administrator is not known here") from error
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = self._ask("POST", f"{PATHS['identity']}/auth/tokens", json={"auth": auth})
        self._http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

    def compute(self, path: str, **params: Any) -> Any:
        """GET from the Compute API at its newest version. Raises `Refused`, `Unavailable`."""
        headers = {"OpenStack-API-Version": "compute latest"}
        return self._ask("GET", PATHS["compute"] + path, params=params, headers=headers).json()

    def get(self, path: str, **params: Any) -> Any:
        """GET from any of the cloud's services. Raises `Refused`, `Unavailable`."""
        return self._ask("GET", path, params=params).json()

    def own(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Any:
        """GET from what only Kilonova has. Raises `Refused`, `Unavailable`."""
        return self._ask("GET", OWN + path, params=params).json()

    def own_post(self, path: str, body: dict[str, Any]) -> Any:
        """POST to what only Kilonova has. Raises `Refused`, `Unavailable`."""
        return self._ask("POST", OWN + path, json=body).json()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unavailable(service="the cloud", reason=str(error) or type(error).__name__) from error
        if answer.status_code >= 400:
            raise Refused(status=answer.status_code, message=_message(answer))
        return answer


@contextmanager
def administrator(path: Path) -> Iterator[Admin]:
    """The administrator of the cloud that runs on the state directory `path`. Raises `NotRunning`, `Unavailable`."""
    admin = Admin(path, running(path))
    try:
        yield admin
    finally:
        admin.close()


def _message(answer: httpx.Response) -> str:
    """The sentence in an error's body, whichever of OpenStack's forms it has."""
    try:
        (error,) = answer.json().values()
        return str(error["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        return answer.text[:500]


def _trust(found: Running) -> ssl.SSLContext:
    """Trust for its certificate: the system's, and the certificate itself where it stands alone."""
    context = ssl.create_default_context()
    if found.tls_cert is not None and is_own_authority(Path(found.tls_cert)):
        context.load_verify_locations(found.tls_cert)
    return context
