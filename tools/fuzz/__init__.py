"""Judges the Compute API by its own OpenAPI documents: schemathesis asks what they allow and what they don't, and checks answers.

`__main__.py` makes an environment of the judge's own, starts a cloud on the fake driver and lets the judge go through the
microversions, a round for each band, until as many requests are made as were asked for. `hooks.py` runs inside the judge: it
lends half of the requests the ids of things that are there, and counts.
"""
