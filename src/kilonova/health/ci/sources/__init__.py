"""One module for each kind of system that tells of changes and CI: how its documents become events, and what they say.

Pure: a document comes in as bytes, and events or facts go out. What fetches documents is `health/ci/importing.py`.
"""
