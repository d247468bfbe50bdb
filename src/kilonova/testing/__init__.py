"""The kit for others: a cloud in their tests, a simulated cloud for their races, the suite that their drivers pass.

May import everything but `cli`; nothing imports it. Owns no state that outlives a test run. Installed with the package as a
pytest plugin; pytest itself comes with `kilonova[testing]`.

| module | what |
|---|---|
| `plugin` | the fixtures; every run of pytest imports it, so it imports nothing heavy before one is used |
| `access`, `waiting` | what a test asks of a cloud that answers: addresses, clients, things to boot from, waiting |
| `thread_cloud` | a cloud in a thread of the test's own process |
| `world` | the simulated cloud, moved on by the test |
| `clouds`, `worlds` | make as many of them as tests ask for, and end them |
| `driver_contract`, `orders_contract`, `devices_contract`, `moves_contract` | suites for hypervisor drivers: what all must do; \
what else is done to a guest; to its cards and volumes; between two hosts |
| `guests` | what they boot, and what they ask of a hypervisor |
"""
