"""The whole cloud in one seeded, replayable loop: virtual time, killable processes, faults, checks.

May import everything but `cli` and `testing`. The roles run unchanged; only the loop, databases, bus, network and hypervisor
are doubles. Owns no state that outlives a seed.

| module | what |
|---|---|
| `loop`, `process`, `escapes`, `runtime` | one seed: order, time, ids; kill -9, freeze, wrong clocks; no way out |
| `database`, `bus`, `network`, `hypervisor`, `doubles` | what processes share, and what gets lost on the way |
| `roles`, `world` | the product's roles, a process each, and a supervisor that starts them again |
| `faults`, `storm`, `workload`, `scenarios` | what goes wrong by chance and by schedule; what clients do meanwhile |
| `history`, `invariants`, `sometimes`, `reached` | what clients were promised, what must hold, which rare branches were reached |
| `run`, `sweep` | one seed: storm, calm, judgement; one process killed before each of its steps |

A seed replays exactly, for any PYTHONHASHSEED, on one minor version of Python and one commit.
"""
