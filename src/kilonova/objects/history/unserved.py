"""Microversions that change nothing that is served here, each with the reason."""

UNSERVED = {
    4: "The reserved flag of fixed IPs: the proxy to them is not served.",
    8: "Remote consoles are not served.",
    12: "The network of virtual interfaces: their list is gone, and answers 410 at every microversion.",
    31: "Authorization of consoles is not served.",
    34: "Checks of live migrations: they have always been made after the answer here.",
    40: "The usage of projects is not served.",
    43: "The old list of hosts is not served.",
    48: "The common form of diagnostics: they are not served.",
    60: "Volumes that several servers may have at once are not served.",
    72: "Ports that ask for bandwidth are not served.",
    76: "External events are not served.",
    78: "The topology of servers is not served.",
    81: "Caching images on the hosts of an aggregate is not served.",
    82: "External events are not served.",
    97: "Shares are not served.",
    99: "Consoles are not served.",
    103: "The alias os-volumes_boot is not served.",
}
"""By their number after `2.`; one that comes to be served loses its line."""
