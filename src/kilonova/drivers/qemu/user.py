"""Who guests run as: each its own user without a name when Kilonova runs as root, and Kilonova's own user otherwise."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kilonova.drivers.qemu.resources import WHOLE, Share

FIRST_UID = 0x70000000
"""The first of the user ids that guests get: a range that no distribution, container tool or systemd hands out
(systemd's "Users, Groups, UIDs and GIDs on systemd Systems")."""
UID_COUNT = 65536
NOBODY = 65534
KVM = Path("/dev/kvm")


class GuestUser(msgspec.Struct, frozen=True):
    """The user that a guest's process runs as, and further groups that it needs."""

    uid: int
    groups: tuple[int, ...] = ()

    @property
    def gid(self) -> int:
        """The user's own group, which has the same number."""
        return self.uid


def uid_pick(taken: Iterable[int | None], share: Share = WHOLE) -> int | None:
    """The user id for a new guest that no other has; None where guests run as Kilonova's own user.

    Each of several hosts on this machine has a part of the range, so that guests of different hosts are different users.

    Inside a container whose user namespace lacks the range, all guests are `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if not range_mapped(Path("/proc/self/uid_map").read_text(encoding="ascii")):
        return NOBODY
    used = set(taken)
    count = UID_COUNT // share.hosts
    first = FIRST_UID + (share.number - 1) * count
    return next(uid for uid in range(first, first + count) if uid not in used)


def guest_user(uid: int | None) -> GuestUser | None:
    """The user with this id, in the group that may use `/dev/kvm` where there is one."""
    return None if uid is None else GuestUser(uid, _kvm_groups())


def range_mapped(uid_map: str) -> bool:
    """Whether the user namespace described by `/proc/self/uid_map` has all ids of the range."""
    for line in uid_map.splitlines():
        inside, _, count = map(int, line.split())
        if inside <= FIRST_UID and inside + count >= FIRST_UID + UID_COUNT:
            return True
    return False


def _kvm_groups() -> tuple[int, ...]:
    try:
        owner = KVM.stat()
    except OSError:
        return ()
    usable = owner.st_mode & 0o060 == 0o060 and owner.st_gid != 0
    return (owner.st_gid,) if usable else ()
