#include "base/access.h"
#include "lib/t.h"

static _Alignas(8) uint8_t mem[ACCESS_MAX_B];
static uint8_t big[ACCESS_MAX_B * 2];

static struct span span_big(size_t len)
{
    memset(big, 'x', sizeof(big));
    return span_of(big, len);
}

static void what_is_written_is_read(void)
{
    struct access_wr w;
    struct access_rec *rec = access_begin(&w, mem, sizeof(mem), 2, 1, 0);
    const struct access_rec *got;

    rec->status = 404;
    rec->gen = 7;
    access_put(&w, ACCESS_LINE, SPAN_LIT("GET / HTTP/1.1"));
    access_put(&w, ACCESS_QUERY, SPAN_NONE);
    access_put_header(&w, 1, SPAN_LIT("curl"));
    access_put_header(&w, 2, SPAN_LIT("text/html"));
    got = access_read(span_of(mem, access_end(&w)));
    T_NEED(got != NULL);
    T_EQ(got->status, 404);
    T_SPAN(access_str(got, ACCESS_LINE), "GET / HTTP/1.1");
    T_OK(access_str(got, ACCESS_QUERY).p != NULL); /* there, and empty */
    T_EQ(access_str(got, ACCESS_QUERY).len, 0);
    T_OK(access_str(got, ACCESS_USER).p == NULL);
    T_OK(access_header(got, 0).p == NULL);
    T_SPAN(access_header(got, 1), "curl");
    T_SPAN(access_header(got, 2), "text/html");
    T_OK(access_header(got, 3).p == NULL);
    T_EQ(got->flags & ACCESS_CUT, 0);
}

static void texts_are_cut_to_their_length(void)
{
    struct access_wr w;
    const struct access_rec *got;

    access_begin(&w, mem, sizeof(mem), 1, 0, 0);
    access_put(&w, ACCESS_METHOD, span_big(100));
    access_put_header(&w, 0, span_big(5000));
    got = access_read(span_of(mem, access_end(&w)));
    T_NEED(got != NULL);
    T_EQ(access_str(got, ACCESS_METHOD).len, 32);
    T_EQ(access_header(got, 0).len, 1024);
    T_OK(got->flags & ACCESS_CUT);
}

static void a_record_never_grows_beyond_its_bound(void)
{
    struct access_wr w;
    const struct access_rec *got;

    access_begin(&w, mem, sizeof(mem), ACCESS_HEADERS_MAX, ACCESS_HEADERS_MAX, ACCESS_VIEWS_MAX);
    for (unsigned i = 0; i < ACCESS_STR_COUNT; i++)
        access_put(&w, (enum access_str)i, span_big(sizeof(big)));
    for (unsigned i = 0; i < 2 * ACCESS_HEADERS_MAX; i++)
        access_put_header(&w, i, span_big(sizeof(big)));
    T_EQ(access_end(&w), ACCESS_MAX_B);
    got = access_read(span_of(mem, access_end(&w)));
    T_NEED(got != NULL);
    T_OK(got->flags & ACCESS_CUT);
    T_EQ(access_str(got, ACCESS_LINE).len, 4096);
    T_EQ(access_header(got, 63).len, 0);
}

static void the_smallest_room_is_enough(void)
{
    struct access_wr w;

    access_begin(&w, mem, ACCESS_MIN_B, ACCESS_HEADERS_MAX, ACCESS_HEADERS_MAX, ACCESS_VIEWS_MAX);
    access_put(&w, ACCESS_LINE, span_big(10));
    T_EQ(access_end(&w), ACCESS_MIN_B);
    T_OK(access_read(span_of(mem, access_end(&w))) != NULL);
}

static uint32_t sample(void)
{
    struct access_wr w;

    access_begin(&w, mem, sizeof(mem), 1, 1, 0);
    access_put(&w, ACCESS_LINE, SPAN_LIT("GET / HTTP/1.1"));
    access_put_header(&w, 1, SPAN_LIT("end"));
    return access_end(&w);
}

static void a_record_that_is_cut_is_refused(void)
{
    uint32_t len = sample();

    for (uint32_t i = 0; i < len; i++) {
        uint64_t *copy = (uint64_t *)malloc(i ? i : 1); /* so that a read behind it is seen */

        memcpy(copy, mem, i);
        T_OK(access_read(span_of(copy, i)) == NULL);
        free(copy);
    }
    T_OK(access_read(span_of(mem, len)) != NULL);
}

static void a_record_that_is_changed_stays_inside_itself(void)
{
    uint32_t len = sample();

    for (uint32_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t *copy = (uint8_t *)malloc(len);
            const struct access_rec *got;
            unsigned sum = 0;

            memcpy(copy, mem, len);
            copy[i] ^= (uint8_t)(1u << bit);
            got = access_read(span_of(copy, len));
            for (unsigned n = 0; got && n < ACCESS_STR_COUNT; n++) {
                struct span s = access_str(got, (enum access_str)n);

                T_OK(!s.p || (s.p >= copy && s.p + s.len <= copy + len));
                sum += s.len ? s.p[s.len - 1] : 0;
            }
            T_OK(sum < 10000);
            free(copy);
        }
    }
}

#define TESTS(X)                                                      \
    X(what_is_written_is_read)                                        \
    X(texts_are_cut_to_their_length)                                  \
    X(a_record_never_grows_beyond_its_bound)                          \
    X(the_smallest_room_is_enough) X(a_record_that_is_cut_is_refused) \
        X(a_record_that_is_changed_stays_inside_itself)
T_MAIN("access", TESTS)
