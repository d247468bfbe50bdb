"""What the exit codes of `kilonova` mean. They are permanent, and listed for users in `docs/operate/exit-codes.md`."""

import enum

from kilonova.kernel.errors import KilonovaError


class ExitCode(enum.IntEnum):
    """How a command ended."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    ON_FAKE_DRIVER = 3
    CONFIGURATION = 4
    STATE_IN_USE = 5
    STATE_TOO_NEW = 6
    STATE_UNUSABLE = 7
    DISK_FULL = 8
    PORT_TAKEN = 9
    LISTEN_REFUSED = 10
    HYPERVISOR = 11
    NOT_RUNNING = 12
    NOT_THERE = 13
    REFUSED = 14
    DATABASE = 15


MEANINGS = {
    ExitCode.OK: "Done.",
    ExitCode.FAILURE: "Something failed that has no code of its own.",
    ExitCode.USAGE: "The command line can't be understood.",
    ExitCode.ON_FAKE_DRIVER: (
        "The demo only (make shows it as `Error 3`): done, but on the fake driver, because QEMU can't be had."
    ),
    ExitCode.CONFIGURATION: "The configuration can't be read, or has an unknown key or a wrong value.",
    ExitCode.STATE_IN_USE: "Another process uses the state directory.",
    ExitCode.STATE_TOO_NEW: "A newer version wrote the state directory.",
    ExitCode.STATE_UNUSABLE: "The state directory can't be made, read or written, or was made with other options.",
    ExitCode.DISK_FULL: "The disk of the state directory is full.",
    ExitCode.PORT_TAKEN: "Another program listens on the port.",
    ExitCode.LISTEN_REFUSED: "The address can't be listened on, or not without TLS.",
    ExitCode.HYPERVISOR: "The hypervisor can't be used: QEMU is missing or too old.",
    ExitCode.NOT_RUNNING: "No cloud runs on this state directory.",
    ExitCode.NOT_THERE: "What was named does not exist, or has nothing to connect to.",
    ExitCode.REFUSED: "The cloud runs and refuses: what was asked makes no sense as things are.",
    ExitCode.DATABASE: "A database server lets nobody in, has no such database, or is too old.",
}

_BY_CODE = {
    "bad-config": ExitCode.CONFIGURATION,
    "bad-policy-rule": ExitCode.CONFIGURATION,
    "no-policy-rule": ExitCode.NOT_THERE,
    "bad-certificate": ExitCode.CONFIGURATION,
    "too-many-hosts": ExitCode.CONFIGURATION,
    "state-in-use": ExitCode.STATE_IN_USE,
    "state-too-new": ExitCode.STATE_TOO_NEW,
    "state-unusable": ExitCode.STATE_UNUSABLE,
    "state-mismatch": ExitCode.STATE_UNUSABLE,
    "disk-full": ExitCode.DISK_FULL,
    "port-taken": ExitCode.PORT_TAKEN,
    "bad-listen": ExitCode.LISTEN_REFUSED,
    "cannot-listen": ExitCode.LISTEN_REFUSED,
    "not-secure": ExitCode.LISTEN_REFUSED,
    "database-unusable": ExitCode.DATABASE,
    "hypervisor-failure": ExitCode.HYPERVISOR,
    "not-running": ExitCode.NOT_RUNNING,
    "no-server": ExitCode.NOT_THERE,
    "no-ssh": ExitCode.NOT_THERE,
    "no-operation": ExitCode.NOT_THERE,
    "not-there": ExitCode.NOT_THERE,
    "no-such-microversion": ExitCode.NOT_THERE,
    "changes-backwards": ExitCode.USAGE,
    "bad-day": ExitCode.USAGE,
    "no-such-filter": ExitCode.CONFIGURATION,
    "no-such-weigher": ExitCode.CONFIGURATION,
    "bad-weight-setting": ExitCode.CONFIGURATION,
    "bad-plugin": ExitCode.CONFIGURATION,
    "no-provider": ExitCode.NOT_THERE,
    "not-done": ExitCode.REFUSED,
    "no-bug": ExitCode.NOT_THERE,
    "unchanged": ExitCode.REFUSED,
    "bad-rule": ExitCode.USAGE,
    "bad-range": ExitCode.USAGE,
    "bad-bug-url": ExitCode.USAGE,
    "no-bundle": ExitCode.USAGE,
    "bad-registry": ExitCode.USAGE,
    "bad-policy": ExitCode.USAGE,
    "bad-moment": ExitCode.USAGE,
    "bad-duration": ExitCode.USAGE,
    "bad-waiver": ExitCode.USAGE,
    "bad-url": ExitCode.USAGE,
    "needs-host": ExitCode.USAGE,
    "no-file": ExitCode.USAGE,
    "no-credentials": ExitCode.USAGE,
    "no-such-ci": ExitCode.NOT_THERE,
    "no-change": ExitCode.NOT_THERE,
    "no-waiver": ExitCode.NOT_THERE,
    "only-down": ExitCode.REFUSED,
    "overtaken": ExitCode.REFUSED,
}


def exit_code(error: KilonovaError) -> ExitCode:
    """The code that `error` ends a command with."""
    return _BY_CODE.get(error.code, ExitCode.FAILURE)
