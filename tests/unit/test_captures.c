#include "control/captures.h"
#include "lib/t.h"

static _Alignas(8) uint8_t mem[ACCESS_MAX_B];

static const struct access_rec *record(uint64_t gen, unsigned req, unsigned resp)
{
    static const char *const values[] = {"v0", "v1", "v2", "v3"};
    struct access_wr w;
    struct access_rec *rec = access_begin(&w, mem, sizeof(mem), req, resp, 0);

    rec->gen = gen;
    for (unsigned i = 0; i < req + resp; i++)
        access_put_header(&w, i, span_str(values[i]));
    return access_read(span_of(mem, access_end(&w)));
}

static void values_are_found_by_the_list_of_their_generation(void)
{
    static struct captures c;
    struct snap_capture one = {.request_headers = {SPAN_LIT("a"), SPAN_LIT("b")},
                               .request_header_count = 2,
                               .response_headers = {SPAN_LIT("a")},
                               .response_header_count = 1};
    struct snap_capture two = {.request_headers = {SPAN_LIT("b")}, .request_header_count = 1};
    const struct access_rec *r;

    T_NEED(IS_OK(captures_add(&c, 1, &one)));
    T_NEED(IS_OK(captures_add(&c, 2, &one)));
    T_NEED(IS_OK(captures_add(&c, 5, &two)));
    T_EQ(c.count, 2); /* the same list takes no room */
    r = record(1, 2, 1);
    T_SPAN(captures_find(&c, r, false, SPAN_LIT("b")), "v1");
    T_SPAN(captures_find(&c, r, true, SPAN_LIT("a")), "v2");
    T_OK(captures_find(&c, r, true, SPAN_LIT("b")).p == NULL);
    r = record(4, 2, 1);
    T_SPAN(captures_find(&c, r, false, SPAN_LIT("b")), "v1");
    r = record(5, 1, 0);
    T_SPAN(captures_find(&c, r, false, SPAN_LIT("b")), "v0");
    T_OK(captures_find(&c, r, false, SPAN_LIT("a")).p == NULL);
    r = record(0, 2, 1); /* older than everything that is known */
    T_OK(captures_find(&c, r, false, SPAN_LIT("b")).p == NULL);
    captures_fini(&c);
}

static void only_the_last_few_lists_are_kept(void)
{
    static struct captures c;
    char name[8];

    for (uint64_t gen = 1; gen <= 3 * CAPTURES_MAX; gen++) {
        struct snap_capture one = {.request_header_count = 1};

        snprintf(name, sizeof(name), "h%u", (unsigned)gen);
        one.request_headers[0] = span_str(name);
        T_NEED(IS_OK(captures_add(&c, gen, &one)));
    }
    T_EQ(c.count, CAPTURES_MAX);
    T_SPAN(captures_find(&c, record(40, 1, 0), false, SPAN_LIT("h40")), "v0");
    T_OK(captures_find(&c, record(3, 1, 0), false, SPAN_LIT("h3")).p == NULL);
    captures_fini(&c);
}

#define TESTS(X) \
    X(values_are_found_by_the_list_of_their_generation) X(only_the_last_few_lists_are_kept)
T_MAIN("captures", TESTS)
