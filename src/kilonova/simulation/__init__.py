"""The whole cloud in one seeded, replayable loop: virtual time, killable processes, faults, checks.

May import everything but `cli` and `testing`. The roles run unchanged; only the loop, databases, bus, network and hypervisor
are doubles. Owns no state that outlives a seed.

| module | what |
|---|---|
| `loop`, `process`, `escapes`, `runtime` | one seed: order, time, ids; kill -9, freeze, wrong clocks; no way out |
| `database`, `bus`, `network`, `hypervisor`, `doubles` | what processes share, and what gets lost on the way |
| `roles`, `world` | the product's roles, a process each, and a supervisor that starts them again |
| `faults`, `storm`, `scenarios` | what goes wrong by chance and by schedule |
| `workload`, `actions`, `groups` | what clients do meanwhile; a row for each thing that can be done to a server |
| `history`, `linearizable` | what clients were promised and every answer they got; whether some order explains them |
| `invariants`, `sometimes`, `reached` | what must hold, which rare branches were reached |
| `cases` | what compute services are known to get wrong, a story each; the stage that stories are played on |
| `run`, `calm`, `sweep` | one seed: storm or case, calm, judgement; one operation with a process killed before each step |
| `difference`, `shrink` | where two runs part; the least that has to happen for a seed to be violated |
| `mutants` | the design broken on purpose, to see that the checkers see |

A seed replays exactly, for any PYTHONHASHSEED, on one minor version of Python and one commit.
"""
