"""Judges the Placement API by tests that others wrote: the gabbits of openstack-placement, and osc-placement's functional tests.

`__main__.py` makes an environment of the judges' own, runs both in it against `kilonova serve placement`, and prints how many
ran and passed. `gabbits.py`, `osc.py` and what they import run there and know nothing of Kilonova but its command line. The
fixtures' providers and allocations are made through our API, over HTTP.
"""
