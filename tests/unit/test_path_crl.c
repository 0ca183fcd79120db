/* The set's rules, and what its lists say, are the test's own here. */
#define trust_revocation test_lists
#define revocation_rules test_rules
#define revocation_ask   test_ask
#include "crypto/path.h"

static struct revocation_rules rules_now;
static enum crl_answer says[3]; /* of leaf, intermediate, anchor */
static struct cert certs[3];

const struct revocation *test_lists(const struct trust *t)
{
    (void)t;
    return (const struct revocation *)&rules_now;
}

const struct revocation_rules *test_rules(const struct revocation *r)
{
    (void)r;
    return &rules_now;
}

void test_ask(const struct revocation *r, const struct cert *issuer, const struct cert *cert,
              int64_t now_s, struct revocation_answer *out)
{
    int64_t i = cert - certs;

    (void)r, (void)now_s;
    *out = (struct revocation_answer){issuer == cert + 1 ? says[i] : CRL_REVOKED, 5 + i, 100 - i};
}

#include "crypto/path_crl.c" /* white box */

#include "lib/t.h"

#define G   CRL_GOOD
#define R   CRL_REVOKED
#define S   CRL_STALE
#define N   CRL_NO_LIST
#define OK_ VERDICT_OK
#define RV  VERDICT_REVOKED
#define RU  VERDICT_REVOCATION_UNKNOWN
#define RS  VERDICT_REVOCATION_STALE
#define LF  CRL_CHECK_LEAF
#define CH  CRL_CHECK_CHAIN

/* clang-format off */
static const struct {
    const char *name;
    enum crl_check check;
    bool missing_ok, expired_ok, learn;
    enum crl_answer leaf, mid;
    enum verdict_code want;
    uint8_t depth;
    uint16_t learns;
} rows[] = {
    {"both good",                    CH, 0, 0, 1, G, G, OK_, 0, 0},
    {"leaf only",                    LF, 0, 0, 1, G, R, OK_, 0, 0},
    {"leaf revoked",                 CH, 1, 1, 1, R, G, RV,  0, 0},
    {"CA revoked",                   CH, 1, 1, 1, G, R, RV,  1, 0},
    {"no list, nobody learns",       CH, 0, 0, 0, N, N, RU,  0, 0},
    {"no list of the leaf",          CH, 0, 0, 1, N, G, RU,  0, 1},
    {"no list at all",               CH, 0, 0, 1, N, N, RU,  0, 3},
    {"no list, only the leaf counts", LF, 0, 0, 1, N, N, RU, 0, 1},
    {"no list, and that is ok",      CH, 1, 0, 1, N, N, OK_, 0, 3},
    {"nobody learns, and it is ok",  CH, 1, 0, 0, N, N, OK_, 0, 0},
    {"the first reason counts",      CH, 0, 0, 1, N, S, RU,  0, 1},
    {"the other way round",          CH, 0, 0, 1, S, N, RS,  0, 2},
    {"stale is not missing",         CH, 0, 0, 1, S, S, RS,  0, 0},
    {"a revoked CA's teach nothing", CH, 0, 0, 1, N, R, RU,  0, 0},
    {"nor where it is ok",           CH, 1, 0, 1, N, R, RV,  1, 0},
    {"stale, and that is ok",        CH, 0, 1, 1, S, G, OK_, 0, 0},
};
/* clang-format on */

static void what_a_set_makes_of_lists(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
        struct verdict_input in = {.now_s = 10};
        struct path_error e = {VERDICT_OK, 0};
        struct path_crl l;

        certs[0].crl_dp = SPAN_LIT("x");
        certs[1].freshest_crl = SPAN_LIT("x");
        rules_now = (struct revocation_rules){rows[i].check, rows[i].missing_ok, rows[i].expired_ok,
                                              rows[i].learn};
        says[0] = rows[i].leaf;
        says[1] = rows[i].mid;
        T_ROW_EQ(rows[i].name, path_crl_ok(&p, &in, &l, &e), rows[i].want == VERDICT_OK);
        T_ROW_EQ(rows[i].name, e.code, rows[i].want);
        T_ROW_EQ(rows[i].name, e.depth, rows[i].depth);
        /* What is refused and not for want of a list is not looked at for it. */
        T_ROW_EQ(rows[i].name, l.want, rows[i].learns);
    }
}

static void who_names_nothing_teaches_nothing(void)
{
    struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
    struct verdict_input in = {.now_s = 10};
    struct path_error e;
    struct path_crl l;

    certs[0].crl_dp = certs[1].freshest_crl = SPAN_NONE;
    rules_now = (struct revocation_rules){CRL_CHECK_CHAIN, true, false, true};
    says[0] = says[1] = CRL_NO_LIST;
    T_OK(path_crl_ok(&p, &in, &l, &e));
    T_EQ(l.want, 0);
}

static void a_verdict_ends_with_the_first_list(void)
{
    struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
    struct verdict_input in = {.now_s = 10};
    struct path_error e;
    struct path_crl l;

    rules_now = (struct revocation_rules){CRL_CHECK_CHAIN, false, false, false};
    says[0] = says[1] = CRL_GOOD;
    T_OK(path_crl_ok(&p, &in, &l, &e));
    T_EQ(l.next_s, 99);
    T_EQ(l.this_s, 5);
}

#define TESTS(X)                 \
    X(what_a_set_makes_of_lists) \
    X(who_names_nothing_teaches_nothing) X(a_verdict_ends_with_the_first_list)
T_MAIN("path_crl", TESTS)
