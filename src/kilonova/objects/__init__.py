"""Every noun in its newest shape, and nothing else.

Pure: frozen msgspec structs. May import `kernel`. Owns no state. A noun has the same file name in every layer
(`flavor.py` here, in `database/tables/`, in `api/`). How a noun looked in older versions is told in `history/`.
"""
