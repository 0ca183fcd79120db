#include "base/must.h"
#include "crypto/peer_internal.h"

/* For each certificate three bytes of length and its DER. */

#define PACKED_HDR_B 3u

uint32_t peer_packed_b(const struct peer *peer)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < peer->n && peer->whole && !peer->offered; i++)
        n += PACKED_HDR_B + (uint32_t)peer->certs[i].der.len;
    return n;
}

void peer_pack(struct peer *peer, uint8_t *to)
{
    for (uint32_t i = 0; i < peer->n; i++) {
        struct span der = peer->certs[i].der;

        *to++ = (uint8_t)(der.len >> 16);
        *to++ = (uint8_t)(der.len >> 8);
        *to++ = (uint8_t)der.len;
        memcpy(to, der.p, der.len);
        to += der.len;
    }
}

void peer_offered(struct peer *peer)
{
    peer->offered = true;
}

void peers_hear(struct peers *p, struct span packed)
{
    struct span chain[CERT_CHAIN_MAX];
    struct peer *peer;
    uint32_t n = 0;

    while (packed.len && n < CERT_CHAIN_MAX) {
        size_t len = (size_t)packed.p[0] << 16 | (size_t)packed.p[1] << 8 | packed.p[2];

        if (!SHOULD(len + PACKED_HDR_B <= packed.len))
            return;
        chain[n++] = span_of(packed.p + PACKED_HDR_B, len);
        packed = span_of(packed.p + PACKED_HDR_B + len, packed.len - PACKED_HDR_B - len);
    }
    peer = peer_get(p, chain, n);
    if (!peer)
        return;
    peer->offered = true;
    peer_put(p, peer);
}
