"""What others tell of bugs, read into deeds: Launchpad, GitHub, commits, and what was done here.

Each module turns replies of a tracker into events as they came, and an event into deeds. `remote.py` asks, and sends what was
done here; everything else is pure.
"""
