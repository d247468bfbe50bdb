"""Rare branches that a batch of seeds has to reach: a search that never gets there proves nothing about them."""

from collections import Counter

REACHED = {
    "operation_taken_over": "an operation was claimed again after its lease had run out",
    "stale_epoch_refused": "a worker tried to save an operation that others had taken over",
    "undo_ran": "an operation went back",
    "action_superseded": "a delete ended a stop, start or reboot",
    "commit_ambiguous": "a commit was applied and its caller not told",
    "transaction_repeated": "a transaction function ran twice",
    "hint_repeated": "a hint came twice",
    "boot_without_host": "a server went to cell0 because no host had room",
    "delete_before_cell": "a server was deleted before it had a cell",
    "delete_during_boot": "a server was deleted while it was being booted in a cell",
    "tombstone_left": "a host that was down was owed a step",
    "power_taken_over": "a server's state followed what its hypervisor showed",
    "request_refused_by_quota": "a create was refused for its project's quota",
    "resize_refused_by_quota": "a resize was refused for its project's quota",
    "resized": "a server was resized to another host",
    "resized_in_place": "a server was resized where it was",
    "move_undone": "a resize or migration went back",
    "move_tried_elsewhere": "a move that one host failed was begun anew on another",
    "boot_tried_elsewhere": "a boot that one host failed was begun anew on another",
    "evacuated": "a server was made anew on another host because its own was dark",
    "migrated_live": "a server was migrated while it ran",
    "volumes_followed": "the volumes of a server were attached for another host, or for none",
    "move_reverted": "a resize or migration was taken back",
    "guest_half_made": "a process died, or a hypervisor failed, with a guest half made",
    "database_lost_power": "a database lost its power, and every connection with it",
    "network_partitioned": "some processes and databases could not reach the others",
    "replaced_agent_spoke": "an agent said something after another session had taken its hosts",
    "host_settled": "a host came back with guests that had to go, and got work only after",
    "guest_missed": "a server went to ERROR because its guest was gone",
    "stranger_destroyed": "a guest that no record knew was ended",
    "process_frozen_past_lease": "a process was frozen for longer than its leases last",
}
"""Every name, and what it says."""


class Sometimes:
    """Counts how often each rare branch was reached in one run."""

    def __init__(self) -> None:
        """Start at zero."""
        self.counts: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        """Note that the branch `name` was reached. Raises AssertionError for a name that isn't in `REACHED`."""
        assert name in REACHED, f"no such branch: {name}"
        self.counts[name] += 1

    def met(self, case: str) -> None:
        """Note that what a case is about has happened in its story, however often."""
        self.counts[case] = 1
