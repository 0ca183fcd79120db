#include "base/sb.h"
#include "crypto/cert.h"
#include "crypto/name.h"
#include "lib/t.h"

/* One attribute, in text: type, kind of string, value. Types are the last byte below 2.5.4. */
struct part {
    uint8_t type, tag;
    const char *value;
    bool plus; /* in the RDN of the one before */
};

#define CN     3
#define SERIAL 5
#define ORG    10
#define UTF8   12
#define NUM    18
#define PRINT  19

/* DER of a name below 128 bytes. A type of 0 ends the parts. */
static struct span name_of(uint8_t *buf, const struct part *parts)
{
    uint8_t *p = buf + 2;

    buf[0] = 0x30;
    while (parts->type) {
        uint8_t *set = p;

        p += 2;
        do {
            uint8_t n = (uint8_t)strlen(parts->value);
            uint8_t head[] = {0x30, (uint8_t)(n + 7), 6, 3, 0x55, 4, parts->type, parts->tag, n};

            memcpy(p, head, sizeof(head));
            memcpy(p + sizeof(head), parts->value, n);
            p += sizeof(head) + n;
            parts++;
        } while (parts->type && parts->plus);
        set[0] = 0x31;
        set[1] = (uint8_t)(p - set - 2);
    }
    buf[1] = (uint8_t)(p - buf - 2);
    return span_of(buf, (size_t)(p - buf));
}

/* clang-format off */
static const struct part one[] = {{ORG, UTF8, "O", 0}, {SERIAL, PRINT, "12", 0}, {CN, UTF8, "a b", 1}, {0}};
static const struct part turned[] = {{ORG, PRINT, "o", 0}, {CN, PRINT, "A  B", 0}, {SERIAL, NUM, "12", 1}, {0}};
static const struct part apart[] = {{ORG, UTF8, "O", 0}, {SERIAL, PRINT, "12", 0}, {CN, UTF8, "a b", 0}, {0}};
static const struct part twice[] = {{ORG, UTF8, "O", 0}, {CN, UTF8, "a b", 0}, {CN, UTF8, "a b", 1}, {0}};
static const struct part longer[] = {{ORG, UTF8, "O", 0}, {SERIAL, PRINT, "12", 0}, {CN, UTF8, "a b", 1}, {CN, UTF8, "a b", 1}, {0}};
static const struct part top[] = {{ORG, UTF8, "O", 0}, {0}};
static const struct part top_more[] = {{ORG, UTF8, "O", 0}, {SERIAL, PRINT, "12", 0}, {0}};
/* clang-format on */

/* RFC 5280 7.1: the attributes of one RDN are a set; case, spaces and the kind of string do not count. */
static void equal_names(void)
{
    static const struct {
        const char *name;
        const struct part *a, *b;
        bool equal, within; /* b begins with a */
    } rows[] = {
        {"itself", one, one, true, true},
        {"in another order and by other strings", one, turned, true, true},
        {"one RDN is not two", one, apart, false, false},
        {"the same attribute twice is not two", one, twice, false, false},
        {"one more in the RDN", one, longer, false, false},
        {"the beginning", top, one, false, true},
        {"half an RDN is no beginning", top_more, one, false, false},
        {"one RDN is not the beginning of two", one, apart, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t x[128], y[128];
        struct span a = name_of(x, rows[i].a), b = name_of(y, rows[i].b);

        T_ROW_EQ(rows[i].name, cert_name_eq(a, b), rows[i].equal);
        T_ROW_EQ(rows[i].name, cert_name_eq(b, a), rows[i].equal);
        T_ROW_EQ(rows[i].name, name_within(b, a), rows[i].within);
        if (rows[i].equal)
            T_ROW_EQ(rows[i].name, name_hash(a) == name_hash(b), true);
    }
}

/* More attributes than are sorted out must stand in the same order, and cost no square of their number. */
static void very_many_in_one_rdn(void)
{
    struct part many[12] = {{CN, UTF8, "0", 0}}, other[12];
    uint8_t x[128], y[128];

    for (unsigned i = 1; i < 10; i++)
        many[i] = (struct part){CN, UTF8, i % 2 ? "1" : "0", true};
    memcpy(other, many, sizeof(many));
    T_OK(cert_name_eq(name_of(x, many), name_of(y, other)));
    other[8].value = "1";
    other[9].value = "0";
    T_OK(!cert_name_eq(name_of(x, many), name_of(y, other)));
}

static void damaged_names_are_equal_to_none(void)
{
    uint8_t x[128], y[128];
    struct span a = name_of(x, one), b = name_of(y, one);

    for (size_t i = 0; i < b.len; i++) {
        char text[256];
        struct sb s = sb_of(text, sizeof(text));

        y[i] ^= 0x40;
        if (y[i] != 'A' && y[i] != 'B' && y[i] != 'o' &&
            y[i] != '/') /* a letter of a value, in the other case */
            T_ROW_EQ("changed", cert_name_eq(a, b), false);
        cert_name_text(&s, b);
        cert_name_text_legacy(&s, b);
        y[i] ^= 0x40;
        T_ROW_EQ("cut", cert_name_eq(a, span_first(b, i)), false);
    }
}

static void as_openssl_writes_them(void)
{
    char text[256];
    struct sb s = sb_of(text, sizeof(text));
    uint8_t x[128];

    cert_name_text(&s, name_of(x, one));
    T_STR(text, "CN=a b+serialNumber=12,O=O");
    s = sb_of(text, sizeof(text));
    cert_name_text_legacy(&s, name_of(x, one));
    T_STR(text, "/O=O/serialNumber=12+CN=a b");
}

#define TESTS(X)   \
    X(equal_names) \
    X(very_many_in_one_rdn) X(damaged_names_are_equal_to_none) X(as_openssl_writes_them)
T_MAIN("name", TESTS)
