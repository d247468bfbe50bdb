"""What can be wrong with a state directory."""

from kilonova.kernel.errors import Conflict, KilonovaError


class StateInUse(Conflict):
    """The state directory {path} is in use by process {pid}.

    Stop that one (`kilonova stop`), or choose another directory with --state.
    """

    code = "state-in-use"


class StateTooNew(Conflict):
    """The state directory {path} was written by a newer version (format {found}; this one knows up to {known}).

    Use that version, or choose another directory with --state.
    """

    code = "state-too-new"


class StateUnusable(KilonovaError):
    """The state directory {path} can't be used: {reason}."""

    code = "state-unusable"


class DiskFull(KilonovaError):
    """The disk of {path} is full: {free_mb} MB are free, {needed_mb} MB are needed to start."""

    code = "disk-full"
