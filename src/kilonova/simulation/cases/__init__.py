"""Cases: what is known to go wrong in compute services, each a short story that the cloud has to survive, whatever the seed.

A case is played for many seeds, which decide when exactly, on whom and at which step it strikes. Then everything comes to rest,
and all invariants are judged beside what the case itself says. There is one file for each family; `table.py` lists all.

| module | what |
|---|---|
| `case` | what a case is |
| `stage` | what a story needs: servers brought to where it begins, waits, expectations |
| `breaking`, `truths` | what can be broken, by name; what databases and services hold, whatever anybody is told |
"""
