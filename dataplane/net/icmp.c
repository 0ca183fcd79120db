/* What ICMP and ICMPv6 have in common. */
#include "net/l3_internal.h"

bool l3_take_echo(struct l3 *l, const struct ip_addr *peer, uint64_t now_ns)
{
    uint64_t second = now_ns / 1000000000;

    if (second != l->second) {
        l->second = second;
        l->echo_left = ECHO_PER_S;
    }
    if (l->echo_left == 0) {
        net_count(l, NET_CTR_ICMP_LIMITED);
        bound_hit(l->env.log, BOUND_ECHO, peer);
        return false;
    }
    l->echo_left--;
    return true;
}

/* An ICMP error quotes the packet it is about: its IP header and at least 8 bytes (RFC 792, RFC 4443). */
void l3_quoted(struct l3 *l, struct span quoted, bool v6, enum l3_icmp what, uint16_t mtu)
{
    struct l3_icmp_error e = {.what = what, .mtu = mtu};
    const uint8_t *p = quoted.p;
    uint32_t hdr = v6 ? IP6_HDR_B : quoted.len ? (p[0] & 15u) * 4 : 0;

    if (hdr < IP4_HDR_B || quoted.len < hdr + 8 || p[0] >> 4 != (v6 ? 6 : 4) ||
        p[v6 ? 6 : 9] != IP_PROTO_TCP || (!v6 && (get_u16(p + 6) & 0x1fff))) {
        net_count(l, NET_CTR_ICMP_BAD);
        return;
    }
    if (v6) {
        memcpy(e.src.b, p + 8, 16);
        memcpy(e.dst.b, p + 24, 16);
    } else {
        e.src = ip_v4_wire(p + 12);
        e.dst = ip_v4_wire(p + 16);
    }
    e.sport = get_u16(p + hdr);
    e.dport = get_u16(p + hdr + 2);
    e.seq = get_u32(p + hdr + 4);
    if (!l3_is_local(l, &e.src)) {
        net_count(l, NET_CTR_ICMP_BAD);
        return;
    }
    net_count(l, NET_CTR_ICMP_ERRORS);
    l->env.icmp_error(l->env.ctx, &e);
}
