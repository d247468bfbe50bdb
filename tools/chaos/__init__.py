"""Chaos: a real cloud in processes of its own, real HTTP clients, and everything killed, frozen and cut off by a seeded plan.

`python -m tools.chaos` (or `make chaos`) strikes until so many processes were killed, waits until all is final, and judges what
the public APIs and the hypervisor show: nothing lost, nothing leaked, nothing stuck. The same questions that the simulation
answers, asked of the operating system. Start reading in `__main__.py`.
"""
