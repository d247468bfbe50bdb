"""What the network service refuses, by Neutron's type names (the code of each error), and how it words it."""

import msgspec

from kilonova.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from kilonova.web.errors import Fault

# --- requests that can't be read


class BadRequest(Invalid):
    """{reason}"""

    code = "HTTPBadRequest"


class BadInput(Invalid):
    """Invalid input for {attribute}. Reason: {reason}."""

    code = "HTTPBadRequest"


class InvalidInput(Invalid):
    """Invalid input for operation: {reason}."""

    code = "InvalidInput"


# --- things that are not there


class NetworkNotFound(NotFound):
    """Network {id} could not be found."""

    code = "NetworkNotFound"


class SubnetNotFound(NotFound):
    """Subnet {id} could not be found."""

    code = "SubnetNotFound"


class PortNotFound(NotFound):
    """Port {id} could not be found."""

    code = "PortNotFound"


class SecurityGroupNotFound(NotFound):
    """Security group {id} does not exist"""

    code = "SecurityGroupNotFound"


class SecurityGroupRuleNotFound(NotFound):
    """Security group rule {id} does not exist"""

    code = "SecurityGroupRuleNotFound"


class TagNotFound(NotFound):
    """Tag {tag} could not be found."""

    code = "TagNotFound"


class ExtensionNotFound(NotFound):
    """Extension {id} could not be found: see the list of extensions for what this service has."""

    code = "ExtensionNotFound"


class NotThere(NotFound):
    """{collection} are not there yet: this network service has networks, subnets, ports and security groups."""

    code = "HTTPNotFound"


# --- addresses


class IpAddressAlreadyAllocated(Conflict):
    """IP address {ip} already allocated in subnet {subnet}"""

    code = "IpAddressAlreadyAllocated"


class IpAddressGenerationFailure(Conflict):
    """No more IP addresses available on network {network}."""

    code = "IpAddressGenerationFailure"


class MacAddressInUse(Conflict):
    """Unable to complete operation for network {network}. The mac address {mac} is in use."""

    code = "MacAddressInUse"


class MacAddressGenerationFailure(Unavailable):
    """Unable to generate unique mac on network {network}."""

    code = "MacAddressGenerationFailure"


class InvalidIpForNetwork(Invalid):
    """IP address {ip} is not a valid IP for any of the subnets on the specified network."""

    code = "InvalidIpForNetwork"


class InvalidIpForSubnet(Invalid):
    """IP address {ip} is not a valid IP for the specified subnet."""

    code = "InvalidIpForSubnet"


class GatewayConflictWithAllocationPools(Conflict):
    """Gateway ip {ip} conflicts with allocation pool {pool}."""

    code = "GatewayConflictWithAllocationPools"


class GatewayIpInUse(Conflict):
    """Current gateway ip {ip} already in use by port {port}. Unable to update."""

    code = "GatewayIpInUse"


class InvalidAllocationPool(Invalid):
    """The allocation pool {pool} is not valid."""

    code = "InvalidAllocationPool"


class OutOfBoundsAllocationPool(Invalid):
    """The allocation pool {pool} spans beyond the subnet cidr {cidr}."""

    code = "OutOfBoundsAllocationPool"


class OverlappingAllocationPools(Conflict):
    """Found overlapping allocation pools: {pool} and {other} for subnet {cidr}."""

    code = "OverlappingAllocationPools"


# --- rules that allow nothing that there is


class SecurityGroupRemoteGroupAndRemoteIpPrefix(Invalid):
    """Only remote_ip_prefix or remote_group_id may be provided."""

    code = "SecurityGroupRemoteGroupAndRemoteIpPrefix"


class SecurityGroupRuleParameterConflict(Invalid):
    """Conflicting value ethertype {ethertype} for CIDR {cidr}"""

    code = "SecurityGroupRuleParameterConflict"


class SecurityGroupEthertypeConflictWithProtocol(Invalid):
    """Invalid ethertype {ethertype} for protocol {protocol}."""

    code = "SecurityGroupEthertypeConflictWithProtocol"


class SecurityGroupInvalidPortRange(Invalid):
    """For TCP/UDP protocols, port_range_min must be <= port_range_max, and both must be given, from 1 to 65535."""

    code = "SecurityGroupInvalidPortRange"


class SecurityGroupInvalidIcmpValue(Invalid):
    """Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."""

    code = "SecurityGroupInvalidIcmpValue"


class SecurityGroupMissingIcmpType(Invalid):
    """ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing."""

    code = "SecurityGroupMissingIcmpType"


class SecurityGroupInvalidProtocolForPort(Invalid):
    """Invalid protocol {protocol} for port range, only supported for TCP, UDP, UDPLITE, SCTP and DCCP."""

    code = "SecurityGroupInvalidProtocolForPort"


# --- things in use


class NetworkInUse(Conflict):
    """Unable to complete operation on network {id}. There are one or more ports still in use on the network."""

    code = "NetworkInUse"


class InvalidSharedSetting(Conflict):
    """Unable to reconfigure sharing settings for network {id}. Multiple tenants are using it."""

    code = "InvalidSharedSetting"


class SubnetInUse(Conflict):
    """Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this subnet."""

    code = "SubnetInUse"


class SecurityGroupInUse(Conflict):
    """Security Group {id} in use."""

    code = "SecurityGroupInUse"


class SecurityGroupDefaultAlreadyExists(Conflict):
    """Default security group already exists."""

    code = "SecurityGroupDefaultAlreadyExists"


class SecurityGroupCannotUpdateDefault(Conflict):
    """Updating default security group not allowed."""

    code = "SecurityGroupCannotUpdateDefault"


class SecurityGroupCannotRemoveDefault(Conflict):
    """Insufficient rights for removing default security group."""

    code = "SecurityGroupCannotRemoveDefault"


class SecurityGroupRuleExists(Conflict):
    """Security group rule already exists. Rule id is {id}."""

    code = "SecurityGroupRuleExists"


class PortSecurityPortHasSecurityGroup(Conflict):
    """Port has security group associated. Cannot disable port security or IP address until security group is removed."""

    code = "PortSecurityPortHasSecurityGroup"


class PortSecurityAndIPRequiredForSecurityGroups(Conflict):
    """Port security must be enabled for a port to have security groups."""

    code = "PortSecurityAndIPRequiredForSecurityGroups"


class AddressPairAndPortSecurityRequired(Conflict):
    """Port Security must be enabled in order to have allowed address pairs on a port."""

    code = "AddressPairAndPortSecurityRequired"


class PortInUse(Conflict):
    """Unable to complete operation on port {id} for network {network}. Port already has an attached device {device}."""

    code = "PortInUse"


class PortBound(Conflict):
    """Unable to complete operation on port {id}, port is already bound, port type: {vif_type}, old_mac {mac}, new_mac {new}."""

    code = "PortBound"


class OverQuota(Conflict):
    """Quota exceeded for resources: ['{resource}']."""

    code = "OverQuota"


_GENERAL = {
    400: "HTTPBadRequest",
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    413: "HTTPRequestEntityTooLarge",
    500: "HTTPInternalServerError",
    501: "HTTPNotImplemented",
    503: "HTTPServiceUnavailable",
}


def error_body(fault: Fault) -> tuple[bytes, str]:
    """Word an error as Neutron does; a missing token as the token middleware in front of it does."""
    if fault.status == 401:
        document: dict[str, object] = {"error": {"code": 401, "title": fault.title, "message": fault.message}}
    else:
        kind = fault.code if fault.code[0].isupper() else _GENERAL.get(fault.status, "HTTPError")
        document = {"NeutronError": {"type": kind, "message": fault.message, "detail": ""}}
    return msgspec.json.encode(document), "application/json"
