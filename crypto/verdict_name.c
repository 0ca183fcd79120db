/* Names of servers (RFC 9525 6.3). */
#include "base/ip.h"
#include "crypto/verdict.h"

/* One label for a star that stands alone in the left-most label. */
static bool dns_matches(struct span pattern, struct span name)
{
    size_t dot;

    if (name.len && name.p[name.len - 1] == '.')
        name.len--;
    if (pattern.len < 3 || pattern.p[0] != '*' || pattern.p[1] != '.')
        return pattern.len > 0 && span_find(pattern, '*') == pattern.len && span_ieq(pattern, name);
    if (span_find(span_from(pattern, 1), '*') != pattern.len - 1)
        return false;
    if (span_find(span_from(pattern, 2), '.') == pattern.len - 2)
        return false; /* "*.com" */
    dot = span_find(name, '.');
    return dot > 0 && dot < name.len && span_ieq(span_from(name, dot), span_from(pattern, 1));
}

bool verdict_name_matches(const struct cert *leaf, struct span name)
{
    struct span it = leaf->san, value;
    enum cert_san_kind kind;
    struct ip_addr ip, theirs;
    bool is_ip = IS_OK(ip_parse(name, &ip));

    while (name.len && cert_san_next(&it, &kind, &value)) {
        if (!is_ip && kind == CERT_SAN_DNS && dns_matches(value, name))
            return true;
        if (!is_ip || kind != CERT_SAN_IP)
            continue;
        if (value.len == 4)
            theirs = ip_v4_wire(value.p);
        else
            memcpy(theirs.b, value.p, 16);
        if (ip_eq(&ip, &theirs))
            return true;
    }
    return false;
}
