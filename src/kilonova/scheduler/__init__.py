"""Which hosts, and why not the others: request and snapshot in, ranked hosts or reasons out.

May import `placement` and below. Pure but for `service.py`. Owns no state. A decision goes through `request.py` (what is
wanted), `hosts.py` (what there is), `filters/` (who may), `weighers.py` (who is best) and `decide.py`, which puts them together.
"""
