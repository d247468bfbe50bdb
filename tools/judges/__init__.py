"""Judges: tests that others wrote, run against Kilonova as their packages ship them. None of their code is in this tree.

Each has a folder with a lock file and an environment of its own. What runs there is a script that knows nothing of Kilonova but
its command line or its address, and writes what became of each test (`tally.py`); `verdict.py` starts it and tells the result.
"""
