#include "crypto/name.h"
#include "crypto/cert.h"
#include "crypto/der.h"
#include "crypto/oid.h"

static const struct {
    struct span oid;
    const char *name;
} types[] = {
#define TYPE(der, name) {OID_(der), name},
#include "crypto/name_types.def"
#undef TYPE
};

const char *name_type(struct span oid)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (span_eq(oid, types[i].oid))
            return types[i].name;
    }
    return NULL;
}

bool name_first(struct span name, struct span *rdns)
{
    *rdns = SPAN_NONE;
    return der_get(&name, DER_SEQUENCE, rdns);
}

bool name_next_rdn(struct span *rdns, struct span *set)
{
    return rdns->len && der_get(rdns, DER_SET, set);
}

bool name_next_ava(struct span *set, struct name_ava *out)
{
    struct span ava;
    struct der v;

    if (set->len == 0 || !der_get(set, DER_SEQUENCE, &ava) || !der_get(&ava, DER_OID, &out->oid) ||
        !der_next(&ava, &v))
        return false;
    out->tag = v.tag;
    out->value = v.body;
    out->whole = v.whole;
    return true;
}

/* --- characters --- */

struct chars {
    struct span left;
    uint8_t tag;
};

static bool is_text(uint8_t tag)
{
    return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5 || tag == DER_T61 ||
           tag == DER_BMP || tag == DER_UNIVERSAL || tag == DER_NUMERIC || tag == DER_VISIBLE;
}

static uint32_t next_utf8(struct span *s)
{
    uint8_t c = s->p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0x7fu >> n);

    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > s->len) {
        *s = span_from(*s, 1);
        return c; /* not UTF-8: as Latin-1, so that nothing is lost */
    }
    for (size_t i = 1; i < n; i++) {
        if ((s->p[i] & 0xc0) != 0x80) {
            *s = span_from(*s, 1);
            return c;
        }
        v = v << 6 | (s->p[i] & 0x3f);
    }
    *s = span_from(*s, n);
    return v;
}

/* The next character of a string of any type. False: end. */
static bool next_char(struct chars *c, uint32_t *out)
{
    size_t wide = c->tag == DER_BMP ? 2 : c->tag == DER_UNIVERSAL ? 4 : 1;

    if (c->left.len < wide)
        return false;
    if (c->tag == DER_UTF8) {
        *out = next_utf8(&c->left);
        return true;
    }
    *out = 0;
    for (size_t i = 0; i < wide; i++)
        *out = *out << 8 | c->left.p[i];
    c->left = span_from(c->left, wide);
    return true;
}

static size_t to_utf8(uint32_t v, uint8_t out[4])
{
    if (v < 0x80) {
        out[0] = (uint8_t)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (uint8_t)(0xc0 | v >> 6);
        out[1] = (uint8_t)(0x80 | (v & 0x3f));
        return 2;
    }
    if (v < 0x10000) {
        out[0] = (uint8_t)(0xe0 | v >> 12);
        out[1] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (v & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (v >> 18 & 7));
    out[1] = (uint8_t)(0x80 | (v >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (v & 0x3f));
    return 4;
}

/* --- comparison (RFC 5280 7.1): case and runs of space do not count --- */

struct folded {
    struct chars c;
    bool begun, pending_space, held;
    uint32_t hold;
};

/* The next character as it counts; leading, trailing and repeated spaces are taken out. */
static bool next_folded(struct folded *f, uint32_t *out)
{
    uint32_t v;

    if (f->held) {
        f->held = false;
        *out = f->hold;
        return true;
    }
    while (next_char(&f->c, &v)) {
        if (v == ' ' || (v >= '\t' && v <= '\r')) {
            f->pending_space = f->begun;
            continue;
        }
        if (v >= 'A' && v <= 'Z')
            v |= 0x20;
        f->begun = true;
        if (f->pending_space) {
            f->pending_space = false;
            f->held = true;
            f->hold = v;
            *out = ' ';
            return true;
        }
        *out = v;
        return true;
    }
    return false;
}

static bool ava_eq(const struct name_ava *a, const struct name_ava *b)
{
    struct folded x = {.c = {a->value, a->tag}}, y = {.c = {b->value, b->tag}};

    if (!span_eq(a->oid, b->oid))
        return false;
    if (a->tag == b->tag && span_eq(a->value, b->value))
        return true;
    if (!is_text(a->tag) || !is_text(b->tag))
        return false;
    for (;;) {
        uint32_t p = 0, q = 0;
        bool more_x = next_folded(&x, &p), more_y = next_folded(&y, &q);

        if (more_x != more_y || p != q)
            return false;
        if (!more_x)
            return true;
    }
}

/* Takes one like `x` out of those of `set` that are left. */
static bool take_like(const struct name_ava *x, struct span set, uint32_t *taken)
{
    struct name_ava y;

    for (uint32_t bit = 1; name_next_ava(&set, &y); bit <<= 1) {
        if (!(*taken & bit) && ava_eq(x, &y)) {
            *taken |= bit;
            return true;
        }
    }
    return false;
}

#define RDN_MAX \
    8 /* attributes of one RDN that may stand in another order; more must be in the same */

static unsigned ava_count(struct span set)
{
    struct name_ava x;
    unsigned n = 0;

    while (n <= RDN_MAX && set.len) {
        if (!name_next_ava(&set, &x))
            return RDN_MAX + 1;
        n++;
    }
    return n;
}

/* A set: DER sorts it by its bytes, which are others in another type of string, so the order may be another. */
static bool rdn_eq(struct span a, struct span b)
{
    bool any_order = ava_count(a) == ava_count(b) && ava_count(a) <= RDN_MAX;
    uint32_t taken = 0;

    while (a.len && (any_order || b.len)) {
        struct name_ava x, y;

        if (!name_next_ava(&a, &x))
            return false;
        if (any_order ? !take_like(&x, b, &taken) : !name_next_ava(&b, &y) || !ava_eq(&x, &y))
            return false;
    }
    return a.len == 0 && (any_order || b.len == 0);
}

bool cert_name_eq(struct span a, struct span b)
{
    struct span x, y, p, q;

    if (span_eq(a, b))
        return true;
    if (!name_first(a, &x) || !name_first(b, &y))
        return false;
    while (x.len && y.len) {
        if (!name_next_rdn(&x, &p) || !name_next_rdn(&y, &q) || !rdn_eq(p, q))
            return false;
    }
    return x.len == 0 && y.len == 0;
}

bool name_within(struct span name, struct span base)
{
    struct span x, y, p, q;

    if (!name_first(name, &x) || !name_first(base, &y))
        return false;
    while (y.len) {
        if (!name_next_rdn(&x, &p) || !name_next_rdn(&y, &q) || !rdn_eq(p, q))
            return false;
    }
    return true;
}

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static uint64_t ava_hash(const struct name_ava *ava)
{
    struct folded f = {.c = {ava->value, ava->tag}};
    uint64_t h = FNV_BASIS;
    uint32_t v;

    for (size_t i = 0; i < ava->oid.len; i++)
        h = (h ^ ava->oid.p[i]) * FNV_PRIME;
    while (is_text(ava->tag) && next_folded(&f, &v))
        h = (h ^ v) * FNV_PRIME;
    return h;
}

/* Equal names hash alike: over what counts of them, whatever the order within an RDN. */
uint64_t name_hash(struct span name)
{
    struct span rdns, set;
    struct name_ava ava;
    uint64_t h = FNV_BASIS;

    if (!name_first(name, &rdns))
        return 0;
    while (name_next_rdn(&rdns, &set)) {
        uint64_t sum = 0;

        while (name_next_ava(&set, &ava))
            sum += ava_hash(&ava);
        h = (h ^ sum) * FNV_PRIME;
        h ^= h >> 32; /* the low bits choose the bucket */
    }
    return h;
}

/* --- text --- */

static void hex_byte(struct sb *s, const char *before, uint8_t c)
{
    static const char hex[] = "0123456789ABCDEF";
    char two[2] = {hex[c >> 4], hex[c & 15]};

    sb_str(s, before);
    sb_put(s, span_of(two, 2));
}

/* One byte of a value. ASCII is escaped as RFC 2253 2.4 asks; what is above as `high` says. */
static void byte_2253(struct sb *s, uint8_t c, bool first, bool last, bool high)
{
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && high)) {
        hex_byte(s, "\\", c);
        return;
    }
    if ((c < 0x80 && strchr(",+\"\\<>;", c)) || (first && (c == '#' || c == ' ')) ||
        (last && c == ' '))
        sb_char(s, '\\');
    sb_char(s, (char)c);
}

static void value_2253(struct sb *s, const struct name_ava *ava, bool high)
{
    struct chars c = {ava->value, ava->tag};
    bool first = true;
    uint32_t v;

    if (ava->tag == DER_UTF8) { /* the bytes as they are, as OpenSSL */
        for (size_t i = 0; i < ava->value.len; i++)
            byte_2253(s, ava->value.p[i], i == 0, i + 1 == ava->value.len, high);
        return;
    }
    while (next_char(&c, &v)) {
        uint8_t utf8[4];
        size_t n = to_utf8(v, utf8);
        bool last = c.left.len == 0;

        for (size_t i = 0; i < n; i++)
            byte_2253(s, utf8[i], first, last, high);
        first = false;
    }
}

/* A control character would end a line, so it is escaped, and then so is the escape. */
static void byte_ctrl(struct sb *s, uint8_t c)
{
    if (c < 0x20 || c == 0x7f)
        hex_byte(s, "\\", c);
    else if (c == '\\')
        sb_str(s, "\\\\");
    else
        sb_char(s, (char)c);
}

static void wide_char(struct sb *s, uint32_t v)
{
    static const char hex[] = "0123456789ABCDEF";
    int shift = v > 0xffff ? 28 : 12;

    if (v <= 0xff) {
        byte_ctrl(s, (uint8_t)v);
        return;
    }
    sb_str(s, v > 0xffff ? "\\W" : "\\U");
    for (; shift >= 0; shift -= 4)
        sb_char(s, hex[v >> shift & 15]);
}

void name_value_text(struct sb *s, uint8_t tag, struct span value, bool raw)
{
    struct chars c = {value, tag};
    uint32_t v;

    if (tag == DER_UTF8 && !raw) {
        for (size_t i = 0; i < value.len; i++)
            byte_ctrl(s, value.p[i]);
        return;
    }
    while (next_char(&c, &v)) {
        uint8_t utf8[4];
        size_t n = to_utf8(v, utf8);

        if (raw) {
            wide_char(s, v);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            byte_ctrl(s, utf8[i]);
    }
}

/* A type without a name, or a value that is no string: by number and DER (RFC 2253 2.4). */
static void dump_value(struct sb *s, struct span whole)
{
    sb_char(s, '#');
    for (size_t i = 0; i < whole.len; i++)
        hex_byte(s, "", whole.p[i]);
}

static void ava_text(struct sb *s, const struct name_ava *ava, bool high)
{
    const char *name = name_type(ava->oid);

    if (name)
        sb_str(s, name);
    else
        der_oid_text(s, ava->oid);
    sb_char(s, '=');
    if (name && is_text(ava->tag))
        value_2253(s, ava, high);
    else
        dump_value(s, ava->whole);
}

#define AVAS_MAX 64

/* Back to front, the parts of one RDN too: so does OpenSSL, and so backends expect it. */
static void text_2253(struct sb *s, struct span name, bool high)
{
    struct name_ava avas[AVAS_MAX];
    bool plus[AVAS_MAX]; /* goes on with the RDN of the one before */
    struct span rdns, set;
    unsigned n = 0;

    if (!name_first(name, &rdns))
        return;
    while (n < AVAS_MAX && name_next_rdn(&rdns, &set)) {
        for (bool more = false; n < AVAS_MAX && name_next_ava(&set, &avas[n]); more = true)
            plus[n++] = more;
    }
    for (unsigned i = n; i-- > 0;) {
        ava_text(s, &avas[i], high);
        if (i)
            sb_char(s, plus[i] ? '+' : ',');
    }
}

void cert_name_text(struct sb *s, struct span name)
{
    text_2253(s, name, true);
}

void cert_name_text_utf8(struct sb *s, struct span name)
{
    text_2253(s, name, false);
}

void cert_name_text_legacy(struct sb *s, struct span name)
{
    struct span rdns, set;
    struct name_ava ava;

    if (!name_first(name, &rdns))
        return;
    while (name_next_rdn(&rdns, &set)) {
        for (char sign = '/'; name_next_ava(&set, &ava); sign = '+') {
            const char *type = name_type(ava.oid);

            sb_char(s, sign);
            if (type)
                sb_str(s, type);
            else
                der_oid_text(s, ava.oid);
            sb_char(s, '=');
            for (size_t i = 0; i < ava.value.len;
                 i++) { /* the bytes as they are, as X509_NAME_oneline */
                uint8_t c = ava.value.p[i];

                if (c == '/' || c == '+')
                    sb_char(s, '\\');
                if (c >= ' ' && c <= '~')
                    sb_char(s, (char)c);
                else
                    hex_byte(s, "\\x", c);
            }
        }
    }
}

bool name_find(struct span name, struct span oid, unsigned n, struct name_ava *out)
{
    struct span rdns, set;

    if (!name_first(name, &rdns))
        return false;
    while (name_next_rdn(&rdns, &set)) {
        while (name_next_ava(&set, out)) {
            if (span_eq(out->oid, oid) && n-- == 0)
                return true;
        }
    }
    return false;
}
