"""The command line. May import everything but `testing`; nothing imports it."""
