"""What ends the demo early."""


class Problem(Exception):
    """Something the demo needs is not as it should be; the argument says what."""
