"""The extra specs that the Compute service knows, and what values they take (Nova configuration guide, "Extra Specs").

Namespaces that belong to Compute are closed: an unknown key in one of them is refused, since microversion 2.86. Other
namespaces, and keys without one, belong to operators and are never looked at.
"""

import re
from collections.abc import Callable

from kilonova.kernel.errors import Invalid

Check = Callable[[str], bool]


class UnknownSpec(Invalid):
    """Validation failed; extra spec '{key}' does not appear to be a valid extra spec."""

    code = "unknown-extra-spec"


class BadSpec(Invalid):
    """Validation failed; '{value}' is not a valid value of the extra spec '{key}': {reason}."""

    code = "bad-extra-spec"


_TRUE_FALSE = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"})


def _truth(text: str) -> bool:
    return text.lower() in _TRUE_FALSE


def _whole(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,18}", text, re.ASCII))


def _positive(text: str) -> bool:
    return _whole(text) and int(text) > 0


def _anything(_text: str) -> bool:
    return True


def _one_of(*words: str) -> Check:
    def check(text: str) -> bool:
        return text in words

    return check


def _like(pattern: str) -> Check:
    def check(text: str) -> bool:
        return re.fullmatch(pattern, text) is not None

    return check


_TRUTH = (_truth, "it must be true or false")
_WHOLE = (_whole, "it must be a whole number")
_POSITIVE = (_positive, "it must be a whole number from 1 on")
_ANYTHING = (_anything, "")
_CPUS = (_like(r"\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*"), "it must be a list of CPUs such as 0-3,^1")


def _words(*words: str) -> tuple[Check, str]:
    return _one_of(*words), f"it must be one of {', '.join(words)}"


KNOWN: tuple[tuple[str, Check, str], ...] = tuple(
    (key, *check)
    for key, check in (
        (r"hw:boot_menu", _TRUTH),
        (r"hw:cpu_cores|hw:cpu_sockets|hw:cpu_threads", _POSITIVE),
        (r"hw:max_cpu_cores|hw:max_cpu_sockets|hw:max_cpu_threads", _POSITIVE),
        (r"hw:cpu_max_cores|hw:cpu_max_sockets|hw:cpu_max_threads", _POSITIVE),
        (r"hw:cpu_dedicated_mask", _CPUS),
        (r"hw:cpu_policy", _words("dedicated", "shared", "mixed")),
        (r"hw:cpu_thread_policy", _words("prefer", "isolate", "require")),
        (r"hw:cpu_realtime", _TRUTH),
        (r"hw:cpu_realtime_mask", _CPUS),
        (r"hw:emulator_threads_policy", _words("isolate", "share")),
        (r"hw:firmware_type", _words("bios", "uefi")),
        (r"hw:hide_hypervisor_id|hide_hypervisor_id", _TRUTH),
        (r"hw:input_bus", _words("usb", "virtio")),
        (r"hw:iommu_model", _words("intel", "smmuv3", "virtio", "auto")),
        (r"hw:locked_memory|hw:mem_encryption|hw:pmu|hw:vif_multiqueue_enabled|hw:tpm_secret_security_enabled", _TRUTH),
        (r"hw:mem_encryption_model", _words("amd-sev", "amd-sev-es")),
        (
            r"hw:mem_page_size",
            (_like(r"(large|small|any|\d+([kKMGT]i?)?[bB]?(it)?)"), "it must be large, small, any or a size"),
        ),
        (r"hw:numa_nodes", _POSITIVE),
        (r"hw:numa_cpus\.\d+", _CPUS),
        (r"hw:numa_mem\.\d+", _POSITIVE),
        (r"hw:maxphysaddr_bits", _POSITIVE),
        (r"hw:maxphysaddr_mode", _words("passthrough", "emulate")),
        (r"hw:pci_numa_affinity_policy", _words("required", "preferred", "legacy", "socket")),
        (r"hw:pmem", _ANYTHING),
        (r"hw:qemu_guest_agent", _TRUTH),
        (r"hw:rescue_bus|hw:rescue_device", _ANYTHING),
        (r"hw:serial_port_count", _WHOLE),
        (r"hw:sound_model", _words("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio")),
        (r"hw:tpm_model", _words("tpm-tis", "tpm-crb")),
        (r"hw:tpm_version", _words("1.2", "2.0")),
        (r"hw:tpm_secret_security", _words("user", "host", "deployment")),
        (
            r"hw:usb_model",
            _words(
                "pci-ohci",
                "piix3-uhci",
                "piix4-uhci",
                "ehci",
                "ich9-ehci1",
                "vt82c686b-uhci",
                "nec-xhci",
                "qemu-xhci",
                "none",
            ),
        ),
        (r"hw:redirected_usb_ports", (_like(r"\d|1[0-5]"), "it must be a number from 0 to 15")),
        (r"hw:video_ram_max_mb", _WHOLE),
        (r"hw:viommu_model", _words("intel", "smmuv3", "virtio", "auto")),
        (r"hw:virtio_packed_ring", _TRUTH),
        (r"hw:watchdog_action", _words("none", "pause", "poweroff", "reset", "disabled")),
        (r"hw:ephemeral_encryption", _TRUTH),
        (r"hw:ephemeral_encryption_format", _words("luks")),
        (r"hw_rng:allowed", _TRUTH),
        (r"hw_rng:rate_bytes|hw_rng:rate_period", _WHOLE),
        (r"hw_video:ram_max_mb", _WHOLE),
        (r"os:monitors", (_like(r"[1-4]"), "it must be a number from 1 to 4")),
        (r"os:resolution", _ANYTHING),
        (r"os:secure_boot", _words("disabled", "required", "optional")),
        (r"os:vram", _words("64", "128", "256", "512", "1024")),
        (r"pci_passthrough:alias", _ANYTHING),
        (r"powervm:.+", _ANYTHING),
        (r"quota:cpu_(shares|period|quota|limit|reservation|shares_share)", _WHOLE),
        (
            r"quota:cpu_shares_level|quota:memory_shares_level|quota:disk_io_shares_level|quota:vif_shares_level",
            _words("custom", "high", "normal", "low"),
        ),
        (r"quota:(memory|disk_io|vif)_(limit|reservation|shares_share)", _WHOLE),
        (r"quota:disk_(read|write|total)_(bytes|iops)_sec(_max(_length)?)?", _WHOLE),
        (r"quota:vif_(inbound|outbound)_(average|peak|burst)", _WHOLE),
        (r"(resources\d*|resources_[a-zA-Z0-9_-]{1,64}):(CUSTOM_)?[A-Z0-9_]+", _WHOLE),
        (r"(trait\d*|trait_[a-zA-Z0-9_-]{1,64}):[A-Z0-9_]+", _words("required", "forbidden")),
        (r"group_policy", _words("isolate", "none")),
        (r"aggregate_instance_extra_specs:.+", _ANYTHING),
        (r"capabilities:.+", _ANYTHING),
        (r"accel:device_profile", _ANYTHING),
        (r"vmware:.+", _ANYTHING),
    )
)

CLOSED = (
    r"(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|powervm|quota|"
    r"resources[^:]*|trait[^:]*|vmware):.*|group_policy|hide_hypervisor_id"
)
"""The namespaces of the Compute service."""


def check_spec(key: str, value: str) -> None:
    """Check one extra spec. Raises `UnknownSpec` or `BadSpec`."""
    for pattern, check, reason in KNOWN:
        if re.fullmatch(pattern, key):
            if not check(value):
                raise BadSpec(key=key, value=value, reason=reason)
            return
    if re.fullmatch(CLOSED, key):
        raise UnknownSpec(key=key)
