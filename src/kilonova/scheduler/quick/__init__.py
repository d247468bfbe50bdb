"""The choice that a look at every host would make, without looking at every host. Exact, in memory, pure.

May import what `scheduler` may. Owns no state in a database. An `Index` (`index.py`) keeps the hosts by kind (`kinds.py`) and, in
each kind, by what is free of them (`boxes.py`), and follows the fleet that `placement/search` keeps. `choose.py` answers a
request from it. Where a filter or weigher looks at more of a host than its kind and what is free, nothing is answered here,
and `decide.py` looks at all of them.
"""
