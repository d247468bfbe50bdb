"""Third-party CI: watched, scored by evidence, and enforced at a gate.

May import `health`'s shared modules. Owns the journal of transitions and decisions. Start reading in `facts.py` (what events
say), `history.py` (what that makes of a change), `metrics.py` (how a CI system does), `voting.py` (what it may do), `gate.py`
(what merges).
"""
