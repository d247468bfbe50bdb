"""Bugs: a tracker's triage that keeps its promises.

`model.py` folds what was done to a bug into the bug, at any moment; `clocks.py`, `queue.py`, `rules.py` and `measures.py` decide
from that; `duplicates/` searches; `trackers/` read what others tell; `service.py` is the only part that reads and writes.
"""
