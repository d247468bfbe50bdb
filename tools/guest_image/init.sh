#!/bin/busybox sh
# The whole system of the demo guest: it says on the serial console who it is, runs its user data, and waits for the power button.

say() { echo "kilonova-guest: $*"; }

mount_system() {
    /bin/busybox mkdir -p /proc /sys /dev /tmp /run /mnt /usr/bin /usr/sbin /sbin
    /bin/busybox mount -t proc proc /proc
    /bin/busybox mount -t sysfs sysfs /sys
    /bin/busybox mount -t devtmpfs devtmpfs /dev
    /bin/busybox --install -s
    export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/
}

load_modules() {
    while read -r module; do
        insmod "/modules/$module" || say "module $module could not be loaded"
    done < /modules/order
}

# Every disk is tried, for the one that has the file; its label is config-2.
mount_config_drive() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        for disk in /dev/vd? /dev/sr?; do
            [ -b "$disk" ] || continue
            mount -t iso9660 -o ro "$disk" /mnt 2>/dev/null || continue
            [ -f /mnt/openstack/latest/meta_data.json ] && return 0
            umount /mnt
        done
        usleep 100000
    done
    say "no config drive was found"
    return 1
}

# The text of a key of meta_data.json that is a string.
meta_string() { tr -d '\n' < /mnt/openstack/latest/meta_data.json | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

first_public_key() {
    tr -d '\n' < /mnt/openstack/latest/meta_data.json |
        sed -n 's/.*"public_keys": *{ *"[^"]*": *"\([^"]*\)".*/\1/p' | sed 's/\\n//g; s/\\\//\//g'
}

take_identity() {
    name=$(meta_string hostname)
    hostname "${name:-localhost}"
    say "hostname=$(hostname)"
    say "uuid=$(meta_string uuid)"
    first_public_key > /run/key
    read -r _ blob comment < /run/key
    if [ -n "$blob" ]; then
        fingerprint=$(echo "$blob" | base64 -d | md5sum | cut -c1-32 | sed 's/../&:/g; s/:$//')
        say "key=$fingerprint $comment"
    else
        say "key=none"
    fi
}

take_address() {
    ip link set lo up
    for card in /sys/class/net/eth*; do
        [ -e "$card" ] || continue
        card=${card##*/}
        ip link set "$card" up
        udhcpc -i "$card" -s /udhcpc.sh -n -q -t 10 -T 1 > /dev/null 2>&1
        address=$(ip -4 -o addr show dev "$card" | sed -n 's/.* inet \([0-9.]*\).*/\1/p')
        say "card=$card mac=$(cat "/sys/class/net/$card/address") mtu=$(cat "/sys/class/net/$card/mtu")"
        say "address=${address:-none}"
    done
}

run_user_data() {
    [ -s /mnt/openstack/latest/user_data ] || { say "user-data none"; return; }
    cp /mnt/openstack/latest/user_data /run/user_data
    if [ "$(head -c 2 /run/user_data)" != "#!" ]; then
        say "user-data is no script and was left alone"
        return
    fi
    chmod 700 /run/user_data
    say "user-data begins"
    /run/user_data 2>&1
    say "user-data ends exit=$?"
}

# ACPI events come as key presses; acpid runs the script that carries the event's name.
await_power_button() {
    mkdir -p /etc/acpi/PWRF
    printf '#!/bin/sh\necho "kilonova-guest: power button, going down" > /dev/console\nsync\npoweroff -f\n' \
        > /etc/acpi/PWRF/00000080
    chmod 700 /etc/acpi/PWRF/00000080
    while true; do
        acpid -f -l /dev/null
        sleep 1
    done
}

mount_system
load_modules
take_address
if mount_config_drive; then
    take_identity
    run_user_data
    umount /mnt
fi
say "ready after $(cut -d' ' -f1 /proc/uptime) s"
await_power_button
