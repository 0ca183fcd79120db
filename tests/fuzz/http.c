/**
 * Target: heads, bodies and paths of HTTP/1.1. The first byte chooses request or response; the rest is what
 * comes over the connection. Whole and in pieces, the result has to be the same.
 */
#include "base/sb.h"
#include "fuzz/fuzz.h"
#include "http/h1.h"

#include <string.h>

static const struct h1_limits limits = {4096, 16384, 64, 4096};

struct result {
    enum h1_result r;
    uint32_t used;
    uint16_t status;
    struct h1_head head;
};

static void parse(bool response, struct span in, uint32_t *scanned, struct result *out)
{
    const char *why = NULL;

    out->used = 0;
    out->status = 0;
    out->r = response
                 ? h1_response(in, &limits, H1_GET, scanned, &out->head, &out->used, &why)
                 : h1_request(in, &limits, scanned, &out->head, &out->used, &out->status, &why);
    if (out->r == H1_BAD)
        FUZZ_MUST(why && *why && (response || (out->status >= 400 && out->status < 600)));
    if (out->r == H1_DONE)
        FUZZ_MUST(out->used > 0 && out->used <= in.len);
}

/* No byte of a head that was taken can be a line of its own for somebody else. */
static void check_head(const struct h1_head *h, bool response)
{
    FUZZ_MUST(h->count <= limits.headers_max);
    for (uint32_t i = 0; i < h->count; i++) {
        struct span n = h->headers[i].name, v = h->headers[i].value;

        FUZZ_MUST(n.len > 0);
        for (size_t k = 0; k < n.len; k++)
            FUZZ_MUST(n.p[k] > ' ' && n.p[k] != ':' && n.p[k] < 127);
        for (size_t k = 0; k < v.len; k++)
            FUZZ_MUST(v.p[k] != '\r' && v.p[k] != '\n' && v.p[k] != 0);
    }
    if (!response) {
        static char out[8192];
        const char *why;
        int n = h1_path_canonical(h->path, out, sizeof(out), &why);

        if (n > 0) {
            FUZZ_MUST(out[0] == '/' || (n == 1 && out[0] == '*'));
            FUZZ_MUST(!memmem(out, (size_t)n, "/../", 4) && !memmem(out, (size_t)n, "//", 2));
        }
    }
}

/* The body's bytes and where it ends, fed `step` bytes at a time. */
static enum h1_result body(const struct h1_head *h, struct span in, size_t step, uint64_t *bytes,
                           size_t *end)
{
    struct h1_body b;
    size_t have = step < in.len ? step : in.len, at = 0;

    h1_body_begin(&b, h);
    *bytes = 0;
    for (;;) {
        uint32_t skip = 0;
        uint64_t data = 0;
        enum h1_result r = h1_body_next(&b, span_of(in.p + at, have - at), &skip, &data);

        FUZZ_MUST(skip + data <= have - at);
        at += skip;
        *end = at;
        if (r != H1_MORE && !data)
            return r;
        if (data) {
            h1_body_take(&b, data);
            at += data;
            *bytes += data;
            continue;
        }
        if (have == in.len)
            return H1_MORE;
        have = have + step < in.len ? have + step : in.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result whole, part;
    bool response;
    struct span in;
    uint32_t scanned = 0;

    if (size < 2)
        return 0;
    response = data[0] & 1;
    in = span_of(data + 1, size - 1);
    parse(response, in, &scanned, &whole);
    scanned = 0;
    for (size_t n = 1; n <= in.len; n += 1 + n / 8) {
        parse(response, span_first(in, n), &scanned, &part);
        if (part.r == H1_BAD)
            FUZZ_MUST(whole.r == H1_BAD);
        if (part.r == H1_DONE)
            FUZZ_MUST(whole.r == H1_DONE && whole.used == part.used);
        if (part.r != H1_MORE)
            break;
    }
    if (whole.r == H1_DONE) {
        struct span rest = span_from(in, whole.used);
        uint64_t a, b;
        size_t end_a, end_b;
        enum h1_result x, y;

        check_head(&whole.head, response);
        x = body(&whole.head, rest, rest.len ? rest.len : 1, &a, &end_a);
        y = body(&whole.head, rest, 1 + data[0] / 2, &b, &end_b);
        FUZZ_MUST(x == y);
        FUZZ_MUST(x == H1_BAD || (a == b && (x != H1_DONE || end_a == end_b)));
    }
    return 0;
}
