"""Judges the Compute API by Tempest: its tests of `tempest.api.compute`, whose response schemas check every answer.

`__main__.py` starts a cloud of fake hosts with what the tests need in it (`cloud.py`), and runs them there (`compute.py`) with a
configuration (`tempest.conf`) that leaves out what such a cloud can't have: volumes, and logging in to guests.
"""
