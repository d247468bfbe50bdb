#!/bin/busybox sh
# What udhcpc runs when it has been given an address.
case "$1" in
deconfig)
    ip addr flush dev "$interface"
    ;;
bound | renew)
    ip addr replace "$ip/$mask" dev "$interface"
    [ -n "$router" ] && ip route replace default via "${router%% *}"
    for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
    ;;
esac
