"""The rig's processes: they end, whatever happens, and what fails says why."""

import socket
import sys
from pathlib import Path

import pytest

from tools.interop.process import Processes, RigError, free_port

SERVE = """
import http.server, os, signal, sys
if os.fork() == 0:
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
signal.pause()
"""


def test_processes__left__end_with_their_children(tmp_path: Path) -> None:
    port = free_port()
    with Processes(tmp_path) as processes:
        processes.start("server", [sys.executable, "-c", SERVE, str(port)])
        processes.wait_for("server", f"http://127.0.0.1:{port}/")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_wait_for__process_ended__says_why(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("server", [sys.executable, "-c", "raise SystemExit('no disk')"])
        with pytest.raises(RigError, match=r"server does not answer at .*\n.*no disk"):
            processes.wait_for("server", f"http://127.0.0.1:{free_port()}/")


def test_run__command_fails__says_why(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes, pytest.raises(RigError, match="setup failed with code 3"):
        processes.run("setup", [sys.executable, "-c", "raise SystemExit(3)"])
