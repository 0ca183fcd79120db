/*
 * Target: the access log: a format up to the first end of line, then a record, from the wire of a ring or
 * made of the rest as texts. Whatever both are, the line is one line of printable ASCII (in JSON: no control
 * characters).
 */
#include "control/access_text.h"
#include "fuzz/fuzz.h"

static _Alignas(8) uint8_t mem[ACCESS_MAX_B];
static char out[ACCESS_TEXT_MAX_B];

static void render(const struct logfmt *f, struct span record)
{
    static struct captures captures;
    const struct access_rec *rec = access_read(record);
    struct snap_capture want = {.views = f->views,
                                .view_count = f->view_count,
                                .request_header_count = f->req_count,
                                .response_header_count = f->resp_count};
    struct sb s = sb_of(out, sizeof(out));

    if (!rec)
        return;
    memcpy(want.request_headers, f->req, sizeof(f->req));
    memcpy(want.response_headers, f->resp, sizeof(f->resp));
    FUZZ_MUST(IS_OK(captures_add(&captures, 0, &want)));
    access_text(&s, f, &captures, rec, 1000000000);
    captures_fini(&captures);
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)out[i];

        FUZZ_MUST(c >= ' ' || c == '\t'); /* a tab may stand in the format */
    }
}

/* A record with the same bytes in every text. */
static struct span made_of(const struct logfmt *f, struct span rest)
{
    struct access_wr w;
    struct access_rec *rec =
        access_begin(&w, mem, sizeof(mem), f->req_count, f->resp_count, f->view_count);

    rec->status = rest.len ? (uint16_t)(rest.p[0] * 3) : 0;
    rec->flags = rest.len > 1 ? rest.p[1] : 0;
    rec->begin_ns = rest.len * 1000000007ULL;
    rec->end_ns = rec->begin_ns + 5;
    for (unsigned i = 0; i < ACCESS_STR_COUNT; i++)
        access_put(&w, (enum access_str)i, span_from(rest, i));
    for (unsigned i = 0; i < f->req_count + f->resp_count; i++)
        access_put_header(&w, i, span_from(rest, i));
    for (unsigned i = 0; i < f->view_count; i++)
        access_put_view(&w, i, span_from(rest, i));
    return span_of(mem, access_end(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size), line = span_first(all, span_find(all, '\n'));
    struct span rest = span_from(all, line.len + 1);
    struct logfmt *f = NULL;
    struct logfmt_mistake m;
    struct arena a;
    char *format;

    arena_init(&a);
    format = arena_text(&a, line);
    FUZZ_MUST(format);
    if (!IS_OK(logfmt_compile(&a, format, &f, &m))) {
        FUZZ_MUST(f == NULL && m.what[0] && m.at <= strlen(format));
    } else {
        size_t n = rest.len < sizeof(mem) ? rest.len : sizeof(mem);

        memcpy(mem, rest.p ? rest.p : data, n);
        render(f, span_of(mem, n));
        render(f, made_of(f, rest));
    }
    arena_fini(&a);
    return 0;
}
