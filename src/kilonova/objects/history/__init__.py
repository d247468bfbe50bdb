"""How the nouns changed: one file per change, and the lines that order them.

Pure. `api.py` orders the changes by Compute microversion, `wire.py` by object version between conductor and agent.
"""
