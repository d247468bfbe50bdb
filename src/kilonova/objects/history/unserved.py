"""Microversions that change nothing that is served here, each with the reason."""

UNSERVED = {
    4: "The reserved flag of fixed IPs: the proxy to them is not served.",
    8: "Remote consoles are not served.",
    12: "The network of virtual interfaces: their list is gone, and answers 410 at every microversion.",
    31: "Authorization of consoles is not served.",
    34: "Checks of live migrations: they have always been made after the answer here.",
    60: "Volumes that several servers may have at once are not served.",
    72: "Ports that ask for bandwidth are not served.",
    99: "Consoles are not served.",
}
"""By their number after `2.`; one that comes to be served loses its line."""
