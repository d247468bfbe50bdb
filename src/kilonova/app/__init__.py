"""Configuration and wiring: the only place where the parts meet.

May import everything but `simulation`, `cli` and `testing`.
"""
