/* Target: hello_parse and ja4_of, the first bytes of a TLS connection: whole, cut, and spread over other records. */
#include "base/bytes.h"
#include "fuzz/fuzz.h"
#include "tls/ja4.h"

#include <string.h>

/* Handshake bytes as records of 1 to 255 bytes, sizes from `sizes`. */
static struct span in_records(struct span msg, struct span sizes, uint8_t *out)
{
    size_t n = 0;

    for (size_t at = 0, i = 0; at < msg.len; i++) {
        size_t len = min_size(1 + sizes.p[i % sizes.len] % 255, msg.len - at);

        memcpy(out + n, "\x16\x03\x01", 3);
        put_u16(out + n + 3, (uint16_t)len);
        memcpy(out + n + 5, msg.p + at, len);
        n += 5 + len;
        at += len;
    }
    return span_of(out, n);
}

static void check_same(const struct hello *a, const struct hello *b)
{
    FUZZ_MUST(a->version == b->version && a->tls13 == b->tls13 && a->tls12 == b->tls12);
    FUZZ_MUST(a->has_name == b->has_name && strcmp(a->name, b->name) == 0);
    FUZZ_MUST(a->has_alpn == b->has_alpn && a->has_ticket == b->has_ticket);
    FUZZ_MUST(span_eq(a->suites, b->suites) && span_eq(a->sigalgs, b->sigalgs));
    FUZZ_MUST(span_eq(a->groups, b->groups) && span_eq(a->alpn, b->alpn));
    FUZZ_MUST(span_eq(a->versions, b->versions) && span_eq(a->extensions, b->extensions));
}

static void check_ja4(const struct hello *h)
{
    char text[JA4_B + 1];
    struct sb s = sb_of(text, sizeof(text));
    struct ja4 j;

    ja4_of(h, &j);
    ja4_text(&s, &j);
    FUZZ_MUST(s.len == JA4_B && !s.cut);
}

/* `scratch` has the message of a hello that was taken: in other records it is the same. */
static void check_records(const uint8_t *scratch, const struct hello *h, struct span sizes)
{
    static uint8_t records[6 * HELLO_MAX_B], other[HELLO_MAX_B];
    static struct hello again;
    size_t len = 4 + ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
    struct span in = in_records(span_of(scratch, len), sizes, records);

    FUZZ_MUST(hello_parse(in, other, &again) == HELLO_DONE);
    check_same(h, &again);
    FUZZ_MUST(hello_parse(span_first(in, in.len - 1), other, &again) == HELLO_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[HELLO_MAX_B];
    static struct hello h;
    enum hello_result whole, part;

    if (size > 2 * HELLO_MAX_B)
        return 0;
    for (size_t n = 1; n < size; n += 1 + n / 16) {
        part = hello_parse(span_of(data, n), scratch, &h);
        whole = hello_parse(span_of(data, size), scratch, &h);
        FUZZ_MUST(part == HELLO_MORE || part == whole || whole == HELLO_PLAIN);
    }
    if (hello_parse(span_of(data, size), scratch, &h) == HELLO_DONE) {
        FUZZ_MUST(strlen(h.name) <= HELLO_NAME_B && (h.has_name || !h.name[0]));
        FUZZ_MUST(h.suites.len % 2 == 0 && h.sigalgs.len % 2 == 0 && h.groups.len % 2 == 0);
        (void)hello_offers_alpn(&h, SPAN_LIT("http/1.1"));
        (void)hello_takes_rsa(&h);
        (void)hello_takes_ecdsa(&h, 23);
        (void)hello_takes_ed25519(&h);
        check_ja4(&h);
        check_records(scratch, &h, span_of(data, size));
    }
    return 0;
}
