"""The Placement API: one file per resource, `history.py` for what differs between versions.

Start reading in `service.py`. Handlers know the newest shapes only; `history.PLACEMENT` reads older requests up and tells
replies down.
"""
