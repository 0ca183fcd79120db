# Sourced: the demo's network. Three namespaces on one bridge:
#
#   sallyport-client  10.77.0.100    fd00:77::100      curl, openssl, browsers
#   sallyport-net     10.77.0.1      fd00:77::1        the bridge, and the appliance on interface gw0 (no kernel address)
#   sallyport-web     10.77.0.11-14  fd00:77::11-14    the backends

# DEMO_NS is another word than "sallyport" for a second demo beside the first.

DEMO_NS=${DEMO_NS:-sallyport}
NS_CLIENT=$DEMO_NS-client NS_NET=$DEMO_NS-net NS_WEB=$DEMO_NS-web

net_exists() {
    [ -e "/run/netns/$1" ]
}

net_whole() {
    net_exists $NS_NET && ip -n $NS_NET link show br-web > /dev/null 2>&1
}

# Frames must carry true checksums and be no longer than the link: what reads them is no kernel.
net_plain() { # NAMESPACE INTERFACE
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1 || true
    ip netns exec "$1" ethtool -K "$2" tx off
}

net_port() { # NAMESPACE INTERFACE BRIDGE_END [HOST NUMBER...]
    local ns=$1 dev=$2 end=$3 a
    shift 3
    ip -n $NS_NET link add "$end" type veth peer name "$dev" netns "$ns"
    ip -n $NS_NET link set "$end" master br0 up
    for a in "$@"; do
        ip -n "$ns" addr add "10.77.0.$a/24" dev "$dev"
        ip -n "$ns" addr add "fd00:77::$a/64" dev "$dev" nodad
    done
    net_plain "$ns" "$dev" > /dev/null
    net_plain $NS_NET "$end" > /dev/null
    ip -n "$ns" link set "$dev" up
}

# The kernel shall not think about what comes in at an interface that is an appliance's port.
net_ours() { # NAMESPACE INTERFACE
    ip netns exec "$1" nft -f - <<X
table netdev ours {
    chain $2 {
        type filter hook ingress device $2 priority 0; policy drop;
    }
}
X
}

net_up() {
    local ns
    for ns in $NS_CLIENT $NS_NET $NS_WEB; do
        ip netns add $ns
        ip -n $ns link set lo up
    done
    ip netns exec $NS_NET sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n $NS_NET link add br0 type bridge forward_delay 0 mcast_snooping 0
    ip -n $NS_NET link set br0 up
    net_port $NS_NET gw0 br-gw
    net_ours $NS_NET gw0
    net_port $NS_CLIENT eth0 br-client 100
    net_port $NS_WEB eth0 br-web 11 12 13 14
}

net_down() {
    local ns
    for ns in $NS_CLIENT $NS_NET $NS_WEB; do
        ! net_exists $ns || ip netns del $ns
    done
}

# Drops that share of all frames on the bridge: net_loss 1 (percent); net_loss 0 ends it.
net_loss() {
    ip netns exec $NS_NET nft delete table bridge loss 2>/dev/null || true
    [ "$1" = 0 ] || ip netns exec $NS_NET nft -f - <<X
table bridge loss {
    chain forward {
        type filter hook forward priority 0;
        numgen random mod 1000 < $(awk "BEGIN { print int($1 * 10) }") counter drop
    }
}
X
}
