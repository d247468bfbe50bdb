"""One file per Compute API microversion that changes something we serve: `m2_026.py` is microversion 2.26.

Each has a docstring that says in plain words what a client must know, and `CHANGES`. `objects/history/api.py` orders them.
Pure. Source: Compute API reference, "REST API Version History".
"""
