"""The socket to answer on."""

import socket

import pytest

from kilonova.app.config import Up
from kilonova.app.listen import BadListen, BelievesAnybody, NotSecure, PortTaken, bind


def test_bind__port_0__free_one_in_the_url() -> None:
    listener = bind(Up(listen="127.0.0.1:0"))
    assert listener.url == f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    listener.socket.close()


def test_bind__ipv6__bracketed_in_the_url() -> None:
    listener = bind(Up(listen="[::1]:0"))
    assert listener.url.startswith("http://[::1]:")
    listener.socket.close()


def test_bind__port_taken__says_so() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} of 127.0.0.1 is taken"):
            bind(Up(listen=f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "listen", ["8774", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ":8774", "no.such.invalid:1"]
)
def test_bind__no_address__says_how_to_give_one(listen: str) -> None:
    with pytest.raises(BadListen, match="Give HOST:PORT"):
        bind(Up(listen=listen))


def test_bind__reachable_by_others_without_tls__refused_with_the_reason() -> None:
    with pytest.raises(NotSecure, match="can be read on the way"):
        bind(Up(listen="0.0.0.0:0"))


def test_bind__reachable_by_others_insecure__allowed() -> None:
    listener = bind(Up(listen="0.0.0.0:0", insecure=True))
    assert listener.url.startswith("http://")
    assert "0.0.0.0" not in listener.url
    listener.socket.close()


def test_bind__loopback_only__others_are_refused_even_with_insecure() -> None:
    with pytest.raises(BelievesAnybody, match="believes what callers say"):
        bind(Up(listen="0.0.0.0:0", insecure=True), loopback_only=True)
    bind(Up(listen="127.0.0.1:0"), loopback_only=True).socket.close()


def test_bind__certificate_without_key__refused() -> None:
    with pytest.raises(BadListen, match="both a certificate and a key"):
        bind(Up(listen="127.0.0.1:0", tls_cert="cert.pem"))
