#include "base/ip.h"

#include "base/bytes.h"

#include <arpa/inet.h>

bool ip_is_multicast(const struct ip_addr *a)
{
    if (ip_is_v4(a))
        return a->b[12] >= 224 && (a->b[12] < 240 || get_u32(a->b + 12) == UINT32_MAX);
    return a->b[0] == 0xff;
}

bool ip_is_loopback(const struct ip_addr *a)
{
    static const uint8_t v6[16] = {[15] = 1};

    return ip_is_v4(a) ? a->b[12] == 127 : memcmp(a->b, v6, 16) == 0;
}

bool ip_in(const struct ip_addr *a, const struct ip_prefix *p)
{
    uint32_t whole = p->bits / 8, rest = p->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (memcmp(a->b, p->addr.b, whole) != 0)
        return false;
    return rest == 0 || (a->b[whole] & mask) == (p->addr.b[whole] & mask);
}

res ip_parse(struct span text, struct ip_addr *out)
{
    char buf[IP_TEXT_MAX];
    uint8_t v4[4];

    if (text.len == 0 || text.len >= sizeof(buf))
        return ERR(INVALID);
    memcpy(buf, text.p, text.len);
    buf[text.len] = '\0';
    if (strlen(buf) != text.len)
        return ERR(INVALID);
    if (inet_pton(AF_INET, buf, v4) == 1) {
        *out = ip_v4_wire(v4);
        return OK;
    }
    return inet_pton(AF_INET6, buf, out->b) == 1 ? OK : ERR(INVALID);
}

/* Digits only, no sign, no leading zero but "0" itself. */
static bool number(struct span t, uint32_t max, uint32_t *out)
{
    uint32_t v = 0;

    if (t.len == 0 || t.len > 5 || (t.len > 1 && t.p[0] == '0'))
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (!ascii_digit(t.p[i]))
            return false;
        v = v * 10 + (uint32_t)(t.p[i] - '0');
    }
    *out = v;
    return v <= max;
}

res ip_prefix_parse(struct span text, struct ip_prefix *out)
{
    size_t slash = span_find(text, '/');
    uint32_t bits;
    bool v4;

    TRY(ip_parse(span_first(text, slash), &out->addr));
    v4 = ip_is_v4(&out->addr) && span_find(text, ':') == text.len;
    out->bits = 128;
    if (slash == text.len)
        return OK;
    if (!number(span_from(text, slash + 1), v4 ? 32 : 128, &bits))
        return ERR(INVALID);
    out->bits = (uint8_t)(v4 ? 96 + bits : bits);
    return OK;
}

res endpoint_parse(struct span text, struct endpoint *out)
{
    struct span host, port;
    uint32_t n;

    if (text.len && text.p[0] == '[') {
        size_t close = span_find(text, ']');

        if (close + 1 >= text.len || text.p[close + 1] != ':')
            return ERR(INVALID);
        host = span_of(text.p + 1, close - 1);
        port = span_from(text, close + 2);
        if (span_find(host, ':') == host.len)
            return ERR(INVALID);
    } else {
        size_t colon = span_find(text, ':');

        host = span_first(text, colon);
        port = span_from(text, colon + 1);
    }
    TRY(ip_parse(host, &out->addr));
    if (!number(port, 65535, &n) || n == 0)
        return ERR(INVALID);
    out->port = (uint16_t)n;
    return OK;
}

void ip_text(struct sb *s, const struct ip_addr *a)
{
    char buf[INET6_ADDRSTRLEN];

    if (ip_is_v4(a)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12)
                sb_char(s, '.');
            sb_u64(s, a->b[i]);
        }
        return;
    }
    if (inet_ntop(AF_INET6, a->b, buf, sizeof(buf)))
        sb_str(s, buf);
}

void endpoint_text(struct sb *s, const struct endpoint *e)
{
    bool v6 = !ip_is_v4(&e->addr);

    if (v6)
        sb_char(s, '[');
    ip_text(s, &e->addr);
    if (v6)
        sb_char(s, ']');
    sb_char(s, ':');
    sb_u64(s, e->port);
}
