"""Kilonova: an OpenStack Compute control plane. ARCHITECTURE.md shows the way through the tree."""

__version__ = "0.2.0.dev0"
