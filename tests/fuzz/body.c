/**
 * Target: h1_body, the bodies of HTTP/1.1 messages. Bytes 0 to 3 choose the framing, a length and where the input is
 * cut; the rest is what comes over the connection. However it is cut and however little is taken at a time, the body
 * is what a second decoder, written for whole messages, makes of it.
 */
#include "fuzz/fuzz.h"
#include "http/h1.h"

#include <string.h>

#define IN_MAX 16384

struct got {
    enum h1_result r;
    size_t end; /* where the body ended, framing included */
    size_t len;
    uint8_t data[IN_MAX];
};

static bool text_ok(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\t' && (s.p[i] < 0x20 || s.p[i] == 0x7f))
            return false;
    }
    return true;
}

/* The line at `at`, without its CRLF. False: it does not end, or not so. */
static bool line_at(struct span in, size_t at, struct span *line)
{
    size_t lf = at + span_find(span_from(in, at), '\n');

    if (lf >= in.len || lf == at || in.p[lf - 1] != '\r')
        return false;
    *line = span_of(in.p + at, lf - 1 - at);
    return text_ok(*line);
}

/* Digits of a chunk size, then nothing, blanks or an extension. */
static bool size_of(struct span line, uint64_t *size)
{
    char text[17] = "";
    size_t n = 0;

    while (n < line.len && n < 16 && strchr("0123456789abcdefABCDEF", line.p[n]) && line.p[n]) {
        text[n] = (char)line.p[n];
        n++;
    }
    *size = strtoull(text, NULL, 16);
    return n > 0 && n < 16 && (n == line.len || strchr("; \t", line.p[n]));
}

static bool trailers(struct span in, size_t at, size_t bound, struct got *g)
{
    struct span line;

    while (line_at(in, at, &line)) {
        at += line.len + 2;
        if (at > bound)
            return false;
        if (line.len == 0) {
            g->end = at;
            return true;
        }
        if (!strchr("!#$%&'*+-.^_`|~", line.p[0]) && !(line.p[0] >= '0' && line.p[0] <= '9') &&
            !((line.p[0] | 0x20) >= 'a' && (line.p[0] | 0x20) <= 'z'))
            return false;
    }
    return false;
}

/* The second decoder: true when the whole of a body is there. */
static bool chunked(struct span in, struct got *g)
{
    size_t at = 0;

    g->len = 0;
    for (;;) {
        struct span line;
        uint64_t size;

        if (!line_at(in, at, &line) || !size_of(line, &size) || line.len + 2 > 4096)
            return false;
        if (size == 0)
            return trailers(in, at + line.len + 2, at + 4096, g);
        at += line.len + 2;
        if (size > in.len - at || in.len - at - size < 2 || in.p[at + size] != '\r' ||
            in.p[at + size + 1] != '\n')
            return false;
        memcpy(g->data + g->len, in.p + at, size);
        g->len += size;
        at += size + 2;
    }
}

/* Numbers that look random: where to cut. */
static size_t next(uint32_t *seed, size_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Fed 1..step bytes at a time (0: all at once), taken likewise. */
static void feed(const struct h1_head *h, struct span in, uint32_t seed, size_t step, struct got *g)
{
    struct h1_body b;
    size_t have = step ? 0 : in.len, at = 0;

    h1_body_begin(&b, h);
    g->len = 0;
    for (;;) {
        uint32_t skip;
        uint64_t data;

        g->r = h1_body_next(&b, span_of(in.p + at, have - at), &skip, &data);
        FUZZ_MUST(skip <= have - at && data <= have - at - skip);
        FUZZ_MUST(b.done == (g->r == H1_DONE) && (data == 0 || g->r == H1_MORE));
        at += skip;
        g->end = at;
        if (g->r != H1_MORE) { /* and that is the last word */
            FUZZ_MUST(h1_body_next(&b, SPAN_LIT("\n0\r\n\r\n"), &skip, &data) == g->r && !data);
            return;
        }
        if (data) {
            uint64_t n = step ? 1 + next(&seed, data) : data;

            memcpy(g->data + g->len, in.p + at, n);
            h1_body_take(&b, n);
            g->len += n;
            at += n;
        } else if (have == in.len) {
            return;
        } else {
            have += 1 + next(&seed, step);
            have = have < in.len ? have : in.len;
        }
    }
}

static void check_plain(const struct h1_head *h, struct span in, const struct got *g)
{
    bool until_close = h->framing == H1_UNTIL_CLOSE;
    size_t want = until_close || h->content_length > in.len ? in.len : h->content_length;
    bool done = !until_close && want == h->content_length;

    FUZZ_MUST(g->r == (done ? H1_DONE : H1_MORE));
    FUZZ_MUST(g->end == want && g->len == want && memcmp(g->data, in.p, want) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum h1_framing framings[] = {H1_CHUNKED, H1_LENGTH, H1_UNTIL_CLOSE};
    static struct got whole, part, second;
    static struct h1_head h;
    struct span in;

    if (size < 4 || size > IN_MAX)
        return 0;
    h.framing = framings[data[0] % 3];
    h.content_length = (uint64_t)data[1] << 4;
    in = span_of(data + 4, size - 4);
    feed(&h, in, 0, 0, &whole);
    feed(&h, in, data[2], 1 + data[3], &part);
    FUZZ_MUST(whole.r == part.r && whole.end == part.end && whole.len == part.len);
    FUZZ_MUST(memcmp(whole.data, part.data, whole.len) == 0);
    if (h.framing != H1_CHUNKED) {
        check_plain(&h, in, &whole);
    } else {
        FUZZ_MUST(chunked(in, &second) == (whole.r == H1_DONE));
        if (whole.r == H1_DONE)
            FUZZ_MUST(second.end == whole.end && second.len == whole.len &&
                      memcmp(second.data, whole.data, whole.len) == 0);
    }
    return 0;
}
