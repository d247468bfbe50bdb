"""Which hosts, and why not the others: request and snapshot in, ranked hosts or reasons out.

May import `placement` and below. Pure but for `service.py`. Owns no state.
"""
