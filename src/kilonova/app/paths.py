"""Where each service answers, below the cloud's address."""

PATHS = {
    "identity": "/identity/v3",
    "compute": "/compute/v2.1",
    "placement": "/placement",
    "image": "/image/v2",
    "network": "/network/v2.0",
}
"""Where each service's API begins, by its type."""
ENDPOINTS = {**PATHS, "image": "/image", "network": "/network"}
"""Where the catalog says that each service is: clients of these two add the version themselves."""
OWN = "/kilonova"
"""Where Kilonova answers what no OpenStack API asks (`local_api.py`)."""
METADATA = "/metadata"
"""Where the network service's proxy asks for guests (`metadata.py`)."""
METRICS = "/metrics"
"""Where monitoring systems ask (`metrics.py`)."""
