"""What judges share of what runs in their own environments, where `tools.judges.tempest` must not stand for `tempest`."""
