"""The kernel: ideas that everything above is made of.

Pure. May import nothing of Kilonova, and of the outside only the standard library's data parts and msgspec.
Owns no state. Start reading in `versions`: one history for every boundary.
"""
