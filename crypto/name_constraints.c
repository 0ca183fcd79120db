#include "base/ip.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/path.h"

/* Names times subtrees that one path may cost: thousands of each are an attack. */
#define COMPARES_MAX 65536u

/* A GeneralSubtree's base, or a name of a certificate. */
struct gname {
    enum cert_san_kind kind;
    struct span value;
};

struct nc {
    struct span permitted, excluded; /* SEQUENCE contents; p == NULL: not there */
};

static bool nc_parse(struct span ext, struct nc *out)
{
    struct span seq;
    bool there;

    *out = (struct nc){SPAN_NONE, SPAN_NONE};
    if (!der_get(&ext, DER_SEQUENCE, &seq) || seq.len == 0)
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &out->permitted, &there) ||
        (there && out->permitted.len == 0))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 1, &out->excluded, &there) ||
        (there && out->excluded.len == 0))
        return false;
    return seq.len == 0;
}

/* minimum is 0 and maximum absent, or it is not RFC 5280 (4.2.1.10). */
static bool next_subtree(struct span *it, struct gname *out, bool *bad)
{
    struct span seq;

    if (it->len == 0)
        return false;
    if (!der_get(it, DER_SEQUENCE, &seq) || !cert_san_next(&seq, &out->kind, &out->value) ||
        seq.len) {
        *bad = true;
        return false;
    }
    return true;
}

/* --- names that can be judged --- */

/* Preferred name syntax (RFC 5280 4.2.1.6), with the underscores that are in use. */
static bool host_ok(struct span s)
{
    size_t label = 0;

    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];

        if (c == '.' && label == 0)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63 || !(c == '.' || c == '-' || c == '_' || ascii_alpha(c) || ascii_digit(c)))
            return false;
    }
    return label > 0;
}

static bool is_wildcard(struct span name)
{
    return name.len > 2 && name.p[0] == '*' && name.p[1] == '.';
}

/* Behind the last '@', where the host begins; 0: there is none. */
static size_t mail_host(struct span mail)
{
    size_t at = mail.len;

    while (at && mail.p[at - 1] != '@')
        at--;
    return at;
}

/* A mailbox: another '@' can only stand between quotes (RFC 5321 4.1.2). Escapes only mislead. */
static bool mail_ok(struct span mail)
{
    size_t at = mail_host(mail), local = at ? at - 1 : 0;
    bool quoted = local > 1 && mail.p[0] == '"' && mail.p[local - 1] == '"';

    if (local == 0 || !host_ok(span_from(mail, at)))
        return false;
    for (size_t i = 0; i < local; i++) {
        uint8_t c = mail.p[i];

        if (quoted && (i == 0 || i == local - 1))
            continue;
        if (c < ' ' || c == 0x7f || c == '"' || c == '\\' || (!quoted && (c == ' ' || c == '@')))
            return false;
    }
    return true;
}

/* The host of a URI (RFC 3986 3.2.2). */
static bool uri_host(struct span uri, struct span *host)
{
    size_t colon = span_find(uri, ':'), end = 0, at;
    struct span rest = span_from(uri, colon + 1);

    if (rest.len < 2 || rest.p[0] != '/' || rest.p[1] != '/')
        return false;
    rest = span_from(rest, 2);
    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
        end++;
    rest = span_first(rest, end);
    at = span_find(rest, '@');
    if (at < rest.len)
        rest = span_from(rest, at + 1);
    if (rest.len == 0 || rest.p[0] == '[')
        return false;
    *host = span_first(rest, span_find(rest, ':'));
    return host->len > 0;
}

/* MUST, RFC 5280 4.2.1.10: a URI without a host, or with an address for one, is refused. What ends
 * in a number is an address to those who will read it, in whatever notation. */
static bool uri_ok(struct span uri)
{
    struct span host;
    size_t digits = 0;

    if (!uri_host(uri, &host) || !host_ok(host))
        return false;
    while (digits < host.len && ascii_digit(host.p[host.len - 1 - digits]))
        digits++;
    return digits == 0 || (digits < host.len && host.p[host.len - 1 - digits] != '.');
}

static bool dir_ok(struct span dir)
{
    struct span rdns, set;
    struct name_ava ava;

    if (!name_first(dir, &rdns))
        return false;
    while (rdns.len) {
        if (!name_next_rdn(&rdns, &set))
            return false;
        while (set.len) {
            if (!name_next_ava(&set, &ava))
                return false;
        }
    }
    return true;
}

/* Can it be told where this name lies? If not, it is neither inside of a permitted tree nor outside
 * of an excluded one. */
static bool judgeable(const struct gname *name)
{
    switch (name->kind) {
    case CERT_SAN_DNS:
        return host_ok(is_wildcard(name->value) ? span_from(name->value, 2) : name->value);
    case CERT_SAN_EMAIL:
        return mail_ok(name->value);
    case CERT_SAN_URI:
        return uri_ok(name->value);
    case CERT_SAN_DIR:
        return dir_ok(name->value);
    case CERT_SAN_IP:
        return true; /* its length was looked at when it was read */
    case CERT_SAN_OTHER:
        break;
    }
    return false;
}

/* --- one name against one base --- */

static bool ends_with(struct span s, struct span tail)
{
    return s.len >= tail.len && span_ieq(span_from(s, s.len - tail.len), tail);
}

/* "example.com" covers itself and everything below; ".example.com" only what is below. */
static bool dns_within(struct span name, struct span base)
{
    if (base.len == 0)
        return true;
    if (base.p[0] == '.')
        return name.len > base.len && ends_with(name, base);
    if (name.len == base.len)
        return span_ieq(name, base);
    return name.len > base.len && name.p[name.len - base.len - 1] == '.' && ends_with(name, base);
}

/* Could a name that this wildcard stands for lie in the excluded tree? */
static bool wildcard_touches(struct span name, struct span base)
{
    struct span parent = span_from(name, 2);

    if (base.len == 0)
        return true;
    if (base.p[0] == '.')
        base = span_from(base, 1);
    return dns_within(parent, base) || (base.len > parent.len && dns_within(base, parent) &&
                                        span_find(base, '.') == base.len - parent.len - 1);
}

/* A mailbox, a host with all its mailboxes, or ".domain" with all hosts below. */
static bool email_within(struct span name, struct span base)
{
    size_t at = mail_host(name), base_at = mail_host(base);
    struct span host = span_from(name, at);

    if (at == 0)
        return false;
    if (base_at)
        return span_eq(span_first(name, at), span_first(base, base_at)) &&
               span_ieq(host, span_from(base, base_at));
    if (base.len && base.p[0] == '.')
        return host.len > base.len && ends_with(host, base);
    return base.len == 0 || span_ieq(host, base);
}

static bool uri_within(struct span uri, struct span base)
{
    struct span host;

    if (!uri_host(uri, &host))
        return false;
    if (base.len && base.p[0] == '.')
        return host.len > base.len && ends_with(host, base);
    return base.len == 0 || span_ieq(host, base);
}

static bool ip_within(struct span ip, struct span base)
{
    if (base.len != 2 * ip.len)
        return false;
    for (size_t i = 0; i < ip.len; i++) {
        if ((ip.p[i] & base.p[ip.len + i]) != (base.p[i] & base.p[ip.len + i]))
            return false;
    }
    return true;
}

/* A mask is ones and then zeros. */
static bool ip_base_ok(struct span base)
{
    bool zero = false;

    if (base.len != 8 && base.len != 32)
        return false;
    for (size_t i = base.len / 2; i < base.len; i++) {
        for (int b = 7; b >= 0; b--) {
            bool one = base.p[i] >> b & 1;

            if (one && zero)
                return false;
            zero |= !one;
        }
    }
    return true;
}

/* Empty: everything. */
static bool tree_ok(struct span base)
{
    return base.len == 0 || host_ok(base.p[0] == '.' ? span_from(base, 1) : base);
}

/* A base that covers nothing would, in the excluded trees, let everything pass. */
static bool base_ok(const struct gname *base)
{
    struct span v = base->value;

    switch (base->kind) {
    case CERT_SAN_EMAIL:
        return mail_host(v) ? mail_ok(v) : tree_ok(v);
    case CERT_SAN_DNS:
    case CERT_SAN_URI:
        return tree_ok(v);
    case CERT_SAN_DIR:
        return dir_ok(v);
    case CERT_SAN_IP:
        return ip_base_ok(v);
    case CERT_SAN_OTHER:
        break;
    }
    return true; /* whoever has such a name is refused anyway */
}

static bool within(const struct gname *name, const struct gname *base, bool excluding)
{
    switch (name->kind) {
    case CERT_SAN_DNS:
        if (excluding && is_wildcard(name->value))
            return wildcard_touches(name->value, base->value);
        return dns_within(name->value, base->value);
    case CERT_SAN_EMAIL:
        return email_within(name->value, base->value);
    case CERT_SAN_URI:
        return uri_within(name->value, base->value);
    case CERT_SAN_IP:
        return ip_within(name->value, base->value);
    case CERT_SAN_DIR:
        return name_within(name->value, base->value);
    case CERT_SAN_OTHER:
        break;
    }
    return true; /* a form we cannot compare: see judgeable() */
}

/* --- one name against one CA's constraints --- */

struct judge {
    uint32_t compares;
    bool too_much, bad;
};

static bool in_list(struct judge *j, struct span list, const struct gname *name, bool excluding,
                    bool *any)
{
    struct gname base;

    *any = false;
    while (next_subtree(&list, &base, &j->bad)) {
        if (++j->compares > COMPARES_MAX) {
            j->too_much = true;
            return false;
        }
        if (base.kind != name->kind)
            continue;
        if (!base_ok(&base))
            j->bad = true;
        *any = true;
        if (within(name, &base, excluding))
            return true;
    }
    return false;
}

static bool name_ok(struct judge *j, const struct nc *nc, const struct gname *name)
{
    bool any, hit;

    if (nc->excluded.p) {
        hit = in_list(j, nc->excluded, name, true, &any);
        if (hit || (any && !judgeable(name)))
            return false;
    }
    if (nc->permitted.p) {
        hit = in_list(j, nc->permitted, name, false, &any);
        if (any && (!hit || !judgeable(name)))
            return false;
    }
    return !j->bad && !j->too_much;
}

/* RFC 5280 4.2.1.10 asks for this only where there is no subjectAltName; but backends and rules are
 * told the subject's address in any case. */
static bool subject_mail_ok(struct judge *j, const struct nc *nc, struct span subject)
{
    struct span rdns, set;
    struct name_ava ava;

    if (!name_first(subject, &rdns))
        return true;
    while (name_next_rdn(&rdns, &set)) {
        while (name_next_ava(&set, &ava)) {
            struct gname g = {CERT_SAN_EMAIL, ava.value};

            if (span_eq(ava.oid, OID_EMAIL) && !name_ok(j, nc, &g))
                return false;
        }
    }
    return true;
}

static bool cert_ok(struct judge *j, const struct nc *nc, const struct cert *c)
{
    struct span it = c->san, rdns;
    struct gname g = {CERT_SAN_DIR, c->subject};

    if (name_first(c->subject, &rdns) && rdns.len && !name_ok(j, nc, &g))
        return false;
    if (!subject_mail_ok(j, nc, c->subject))
        return false;
    while (cert_san_next(&it, &g.kind, &g.value)) {
        if (!name_ok(j, nc, &g))
            return false;
    }
    return true;
}

bool path_names_ok(const struct path *p, struct path_error *e)
{
    struct judge j = {0};

    for (uint32_t ca = p->n - 1; ca > 0; ca--) {
        struct nc nc;

        if (!(p->cert[ca]->ext & CERT_EXT_NAME_CONSTRAINTS))
            continue;
        if (!nc_parse(p->cert[ca]->name_constraints, &nc)) {
            *e = (struct path_error){VERDICT_MALFORMED, (uint8_t)ca};
            return false;
        }
        for (uint32_t i = ca; i-- > 0;) {
            /* Self-issued ones on the way are free of them, the leaf is not (6.1.3 (b)). */
            if (i && cert_self_issued(p->cert[i]))
                continue;
            if (cert_ok(&j, &nc, p->cert[i]))
                continue;
            *e = (struct path_error){j.too_much ? VERDICT_TOO_MUCH_WORK
                                     : j.bad    ? VERDICT_MALFORMED
                                                : VERDICT_NAME_CONSTRAINT,
                                     (uint8_t)(j.bad ? ca : i)};
            return false;
        }
    }
    return true;
}
