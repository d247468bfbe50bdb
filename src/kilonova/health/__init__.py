"""Project health: bugs that get answered, and third-party CI that is watched, scored and enforced.

May import `web`, `clients`, `database`, `runtime`, `objects`, `kernel`; nothing of compute, and compute nothing of it. Owns the
health database (`health.sqlite` in the state directory). Events come in as they are and are kept for good; what they mean is
derived from them and can be made anew. `store.py` keeps them, `stats.py` counts, `ci/` and `bugs/` judge, `web/` shows.
"""
