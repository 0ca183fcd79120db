#include "tls/hello.h"

#include "base/bytes.h"

#define REC_HANDSHAKE 22
#define REC_HDR_B     5
#define REC_MAX_B     16384
#define HS_HDR_B      4
#define HS_HELLO      1

enum {
    EXT_NAME = 0,
    EXT_GROUPS = 10,
    EXT_SIGALGS = 13,
    EXT_ALPN = 16,
    EXT_TICKET = 35,
    EXT_PSK = 41,
    EXT_VERSIONS = 43,
    EXT_POST_AUTH = 49, /* RFC 8446 4.2.6 */
    EXT_RENEG = 0xff01, /* RFC 5746 3.2 */
};

/* Does the connection begin as an HTTP request would? */
static bool plain_http(struct span in)
{
    static const char *const methods[] = {"GET ", "HEAD", "POST", "PUT ", "DELE",
                                          "OPTI", "PATC", "TRAC", "CONN"};

    for (size_t i = 0; in.len >= 4 && i < ARRAY_LEN(methods); i++) {
        if (memcmp(in.p, methods[i], 4) == 0)
            return true;
    }
    return false;
}

/**
 * Take the first handshake message together from its records.
 * *msg: what there is of it; complete when its own length says so.
 */
static enum hello_result gather(struct span in, uint8_t *scratch, struct span *msg)
{
    struct rd c = rd_of(in);
    size_t have = 0, want = HS_HDR_B;
    bool first = true;

    while (have < want) {
        uint8_t type = rd_u8(&c);
        uint16_t version = rd_u16(&c), len = rd_u16(&c);
        struct span body;

        if (!rd_ok(&c))
            return in.len && in.p[0] != REC_HANDSHAKE ? HELLO_BAD : HELLO_MORE;
        if (type != REC_HANDSHAKE || version >> 8 != 3 || len == 0 || len > REC_MAX_B)
            return HELLO_BAD;
        body = span_of(c.p, min_size(len, rd_left(&c)));
        if (first && body.len && body.p[0] != HS_HELLO)
            return HELLO_BAD;
        if (have + body.len > HELLO_MAX_B)
            return HELLO_TOO_LARGE;
        if (body.len)
            memcpy(scratch + have, body.p, body.len);
        have += body.len;
        first = false;
        if (have >= HS_HDR_B)
            want = HS_HDR_B + ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
        if (want > HELLO_MAX_B)
            return HELLO_TOO_LARGE;
        rd_skip(&c, body.len);
        if (body.len < len && have < want)
            return HELLO_MORE;
    }
    *msg = span_of(scratch + HS_HDR_B, want - HS_HDR_B);
    return HELLO_DONE;
}

/* Letters, digits, '-', '_', '.': what a host name on the wire may consist of. */
static bool name_char(uint8_t ch)
{
    return ascii_alpha(ch) || ascii_digit(ch) || ch == '-' || ch == '_' || ch == '.';
}

static bool take_name(struct span body, struct hello *out)
{
    struct rd c = rd_of(body), list = rd_of(rd_vec16(&c));
    uint8_t type = rd_u8(&list);
    struct span name = rd_vec16(&list);

    if (!rd_done(&c) || !rd_done(&list) || type != 0 || name.len == 0 || name.len > HELLO_NAME_B)
        return false;
    if (name.p[name.len - 1] == '.')
        name.len--;
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.p[i]))
            return false;
        out->name[i] = (char)ascii_lower(name.p[i]);
    }
    out->name[name.len] = '\0';
    out->has_name = name.len > 0;
    return out->has_name;
}

static bool take_versions(struct span body, struct hello *out)
{
    struct rd c = rd_of(body);
    struct span list = rd_vec8(&c);

    if (!rd_done(&c) || list.len < 2 || list.len % 2)
        return false;
    out->versions = list;
    out->tls13 = hello_offers_u16(list, 0x0304);
    out->tls12 = hello_offers_u16(list, 0x0303);
    return true;
}

/* A list of 16-bit numbers with its length in front. */
static bool take_list(struct span body, struct span *out)
{
    struct rd c = rd_of(body);

    *out = rd_vec16(&c);
    return rd_done(&c) && out->len >= 2 && out->len % 2 == 0;
}

static bool take_alpn(struct span body, struct hello *out)
{
    struct rd c = rd_of(body), list;

    out->alpn = rd_vec16(&c);
    out->has_alpn = true;
    list = rd_of(out->alpn);
    while (rd_ok(&list) && rd_left(&list)) {
        if (rd_vec8(&list).len == 0)
            return false;
    }
    return rd_done(&c) && rd_done(&list) && out->alpn.len > 0;
}

static bool take_extension(uint16_t type, struct span body, struct hello *out)
{
    switch (type) {
    case EXT_NAME:
        return take_name(body, out);
    case EXT_VERSIONS:
        return take_versions(body, out);
    case EXT_SIGALGS:
        return take_list(body, &out->sigalgs);
    case EXT_GROUPS:
        return take_list(body, &out->groups);
    case EXT_ALPN:
        return take_alpn(body, out);
    case EXT_POST_AUTH:
        out->post_auth = body.len == 0;
        return out->post_auth;
    case EXT_RENEG:
        out->reneg = true;
        return true;
    case EXT_TICKET:
    case EXT_PSK:
        out->has_ticket |= body.len > 0;
        return true;
    default:
        return true;
    }
}

/* Each type at most once (RFC 8446 4.2); what we look at fits into one word. */
static bool take_extensions(struct span all, struct hello *out)
{
    struct rd c = rd_of(all);
    uint64_t seen = 0;

    out->extensions = all;
    while (rd_ok(&c) && rd_left(&c)) {
        uint16_t type = rd_u16(&c);
        struct span body = rd_vec16(&c);

        if (!rd_ok(&c))
            return false;
        if (type < 64) {
            if (seen >> type & 1)
                return false;
            seen |= 1ULL << type;
        }
        if (!take_extension(type, body, out))
            return false;
    }
    return rd_done(&c);
}

enum hello_result hello_parse(struct span in, uint8_t *scratch, struct hello *out)
{
    struct span msg = SPAN_NONE, session, compression;
    enum hello_result r;
    struct rd c;

    if (plain_http(in))
        return HELLO_PLAIN;
    r = gather(in, scratch, &msg);
    if (r != HELLO_DONE)
        return r;
    memset(out, 0, sizeof(*out));
    c = rd_of(msg);
    out->version = rd_u16(&c);
    rd_skip(&c, 32);
    session = rd_vec8(&c);
    out->suites = rd_vec16(&c);
    compression = rd_vec8(&c);
    out->tls12 = out->version >= 0x0303;
    out->reneg = hello_offers_u16(out->suites, 0x00ff); /* RFC 5746 3.3 */
    if (!rd_ok(&c) || session.len > 32 || out->suites.len < 2 || out->suites.len % 2 ||
        compression.len == 0)
        return HELLO_BAD;
    if (rd_left(&c) && !take_extensions(rd_vec16(&c), out))
        return HELLO_BAD;
    return rd_done(&c) ? HELLO_DONE : HELLO_BAD;
}

bool hello_offers_u16(struct span list, uint16_t value)
{
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if (get_u16(list.p + i) == value)
            return true;
    }
    return false;
}

bool hello_offers_alpn(const struct hello *h, struct span proto)
{
    struct rd list = rd_of(h->alpn);

    while (rd_ok(&list) && rd_left(&list)) {
        if (span_eq(rd_vec8(&list), proto))
            return true;
    }
    return false;
}

/* TLS 1.2 suites with ECDHE_ECDSA (the first list) or ECDHE_RSA authentication, as we offer them. */
static bool suite12(const struct hello *h, bool ecdsa)
{
    static const uint16_t ec[] = {0xc02b, 0xc02c, 0xcca9}, rsa[] = {0xc02f, 0xc030, 0xcca8};
    const uint16_t *list = ecdsa ? ec : rsa;

    for (int i = 0; i < 3; i++) {
        if (hello_offers_u16(h->suites, list[i]))
            return true;
    }
    return false;
}

bool hello_takes_ecdsa(const struct hello *h, uint16_t curve)
{
    /* RFC 8446 4.2.3: ecdsa_secp256r1_sha256 0x0403, 384: 0x0503, 521: 0x0603 */
    uint16_t scheme = (uint16_t)(0x0403 + 0x0100 * (curve - 23));

    if (h->tls13)
        return hello_offers_u16(h->sigalgs, scheme);
    if (!suite12(h, true) || (h->groups.len && !hello_offers_u16(h->groups, curve)))
        return false;
    if (h->sigalgs.len == 0)
        return true;
    /* In 1.2 hash and curve are not tied together (RFC 5246 7.4.1.4.1). */
    return hello_offers_u16(h->sigalgs, 0x0403) || hello_offers_u16(h->sigalgs, 0x0503) ||
           hello_offers_u16(h->sigalgs, 0x0603);
}

bool hello_takes_rsa(const struct hello *h)
{
    /* rsa_pss_rsae_sha256..512; 1.2 also takes PKCS#1 with SHA-2 */
    bool pss = hello_offers_u16(h->sigalgs, 0x0804) || hello_offers_u16(h->sigalgs, 0x0805) ||
               hello_offers_u16(h->sigalgs, 0x0806);
    bool pkcs1 = hello_offers_u16(h->sigalgs, 0x0401) || hello_offers_u16(h->sigalgs, 0x0501) ||
                 hello_offers_u16(h->sigalgs, 0x0601);

    if (h->tls13)
        return pss;
    return suite12(h, false) && (pss || pkcs1 || h->sigalgs.len == 0);
}

bool hello_takes_ed25519(const struct hello *h)
{
    return hello_offers_u16(h->sigalgs, 0x0807) && (h->tls13 || suite12(h, true));
}
