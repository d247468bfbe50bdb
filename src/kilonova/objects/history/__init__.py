"""How the nouns changed: one file per change, and the lines that order them.

Pure. `api.py` orders the changes by Compute microversion, `wire.py` by object version between conductor and agent.

To add a microversion: write `microversions/m2_105.py` with a docstring and its `CHANGES` (`kernel/versions.py` has the
kinds), name it in `api.py`, and change code to the new shape. Responses are told down from the newest shape, which also
holds what older microversions alone show (`withdrawn`); requests are read up to it, and refused where they carry what their
microversion does not know (`accepted`, `refused`); queries ignore it (`ignored_before`). Code asks `level.has(name)` for
what is a matter of behaviour, and such a change says `effect=True`.
"""
