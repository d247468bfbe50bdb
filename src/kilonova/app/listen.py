"""The socket to answer on: parsed, allowed, bound before anything else is started."""

import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from kilonova.app.config import Up
from kilonova.kernel.errors import Conflict, Invalid, KilonovaError


class BadListen(Invalid):
    """'{listen}' is no address to listen on: {reason}. Give HOST:PORT, e.g. 127.0.0.1:8774 or [::1]:8774."""

    code = "bad-listen"


class PortTaken(Conflict):
    """Port {port} of {host} is taken by another program.

    Stop that one, or choose another port with --listen {host}:PORT (0 takes a free one).
    """

    code = "port-taken"


class CannotListen(KilonovaError):
    """Can't listen on {host}:{port}: {reason}."""

    code = "cannot-listen"


class NotSecure(Invalid):
    """Other machines reach {host}, and without TLS passwords and tokens can be read on the way.

    Give --tls-cert and --tls-key, or --insecure if the network in between is yours.
    """

    code = "not-secure"


class BelievesAnybody(Invalid):
    """[identity] auth = "headers" believes what callers say of themselves, and other machines reach {host}.

    Listen on 127.0.0.1, or leave the setting out.
    """

    code = "not-secure"


class BadCertificate(Invalid):
    """The certificate {cert} with the key {key} can't be used: {reason}."""

    code = "bad-certificate"


@dataclass(frozen=True)
class Listener:
    """A bound socket, and the address under which clients find it."""

    socket: socket.socket
    url: str
    """Without a slash at its end."""


def bind(up: Up, *, loopback_only: bool = False) -> Listener:
    """Bind the address of `[up] listen`.

    Raises:
        BadListen: it can't be read.
        BadCertificate: the files of `tls_cert` and `tls_key` can't be used.
        NotSecure: others can reach it, and there is neither TLS nor `insecure`.
        BelievesAnybody: others can reach it, and it must be `loopback_only`.
        PortTaken: another program has the port.
        CannotListen: the system refuses for another reason.
    """
    host, port = _parsed(up.listen)
    _check_certificate(up)
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise BadListen(listen=up.listen, reason=f"{host} can't be resolved") from error
    loopback = ipaddress.ip_address(address[0]).is_loopback
    if loopback_only and not loopback:
        raise BelievesAnybody(host=host)
    if up.tls_cert is None and not up.insecure and not loopback:
        raise NotSecure(host=host)
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host=host, port=port) from error
        raise CannotListen(host=host, port=port, reason=error.strerror or str(error)) from error
    bound.setblocking(False)
    scheme = "https" if up.tls_cert else "http"
    return Listener(bound, f"{scheme}://{_shown(host)}:{bound.getsockname()[1]}")


def _check_certificate(up: Up) -> None:
    if up.tls_cert is None and up.tls_key is None:
        return
    if up.tls_cert is None or up.tls_key is None:
        raise BadListen(listen=up.listen, reason="TLS needs both a certificate and a key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            Path(up.tls_cert).expanduser(), Path(up.tls_key).expanduser()
        )
    except OSError as error:
        raise BadCertificate(cert=up.tls_cert, key=up.tls_key, reason=error.strerror or str(error)) from error


def _parsed(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host:
        raise BadListen(listen=listen, reason="it has no port")
    if not port.isdigit() or int(port) > 65535:
        raise BadListen(listen=listen, reason=f"'{port}' is no port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _shown(host: str) -> str:
    """The host in a URL; an address that stands for all of them is shown as this machine's name."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
