"""The services that Kilonova asks, as doubles: durable in the world, reached over a network that loses calls and answers."""
