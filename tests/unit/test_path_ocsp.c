/* The set's rules are the test's own here. */
#define trust_ocsp test_policy
#include "crypto/path.h"

static const struct ocsp_policy *policy_now;

const struct ocsp_policy *test_policy(const struct trust *t)
{
    (void)t;
    return policy_now;
}

#include "crypto/path_ocsp.c" /* white box */

#include "lib/t.h"

static struct cert certs[3]; /* leaf, intermediate, anchor */
static struct ocsp_table *table;

static void begin(void)
{
    static uint8_t bytes[16];

    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(i + 1);
    for (unsigned i = 0; i < 3; i++) {
        certs[i] = (struct cert){.serial = span_of(bytes + i, 1),
                                 .issuer = span_of(bytes + 4 + i, 1),
                                 .key = span_of(bytes + 8 + i, 1)};
    }
    T_NEED(IS_OK(ocsp_table_new(64, &table)));
}

static void know(unsigned i, enum ocsp_what what, int64_t until_s)
{
    uint8_t id[OCSP_ID_B];

    ocsp_id(&certs[i], &certs[i + 1], id);
    ocsp_table_put(table, id, &(struct ocsp_entry){what, 5, until_s});
}

#define G   OCSP_IS_GOOD
#define R   OCSP_IS_REVOKED
#define U   OCSP_IS_UNANSWERED
#define N   OCSP_IS_NEW
#define OK_ VERDICT_OK
#define RV  VERDICT_REVOKED
#define RU  VERDICT_REVOCATION_UNKNOWN

/* clang-format off */
static const struct row {
    const char *name;
    enum ocsp_check check;
    enum ocsp_first first;
    bool fail_ok, late, no_table;
    enum ocsp_what leaf, mid;
    enum verdict_code want;
    uint8_t depth;
    uint16_t ask;
    bool wait;
} rows[] = {
    {"off",                    OCSP_CHECK_OFF,   OCSP_FIRST_DENY,  0, 0, 0, R, R, OK_, 0, 0, 0},
    {"leaf good",              OCSP_CHECK_LEAF,  OCSP_FIRST_DENY,  0, 0, 0, G, R, OK_, 0, 0, 0},
    {"leaf revoked",           OCSP_CHECK_LEAF,  OCSP_FIRST_ALLOW, 1, 0, 0, R, G, RV,  0, 0, 0},
    {"chain good",             OCSP_CHECK_CHAIN, OCSP_FIRST_DENY,  0, 0, 0, G, G, OK_, 0, 0, 0},
    {"CA revoked",             OCSP_CHECK_CHAIN, OCSP_FIRST_ALLOW, 1, 0, 0, G, R, RV,  1, 0, 0},
    {"CA revoked, leaf new",   OCSP_CHECK_CHAIN, OCSP_FIRST_HOLD,  0, 0, 0, N, R, RV,  1, 1, 1},
    {"unanswered, deny",       OCSP_CHECK_LEAF,  OCSP_FIRST_ALLOW, 0, 0, 0, U, G, RU,  0, 0, 0},
    {"unanswered, allow",      OCSP_CHECK_LEAF,  OCSP_FIRST_DENY,  1, 0, 0, U, G, OK_, 0, 0, 0},
    {"new, deny",              OCSP_CHECK_LEAF,  OCSP_FIRST_DENY,  1, 0, 0, N, G, RU,  0, 1, 0},
    {"new, allow",             OCSP_CHECK_LEAF,  OCSP_FIRST_ALLOW, 0, 0, 0, N, G, OK_, 0, 1, 0},
    {"new, hold",              OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  1, 0, 0, N, G, RU,  0, 1, 1},
    {"both new, hold",         OCSP_CHECK_CHAIN, OCSP_FIRST_HOLD,  1, 0, 0, N, N, RU,  0, 3, 1},
    {"both new, allow",        OCSP_CHECK_CHAIN, OCSP_FIRST_ALLOW, 0, 0, 0, N, N, OK_, 0, 3, 0},
    {"held too long, deny",    OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  0, 1, 0, N, G, RU,  0, 1, 0},
    {"held too long, allow",   OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  1, 1, 0, N, G, OK_, 0, 1, 0},
    {"late, but it is there",  OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  1, 1, 0, R, G, RV,  0, 0, 0},
    {"late, first deny",       OCSP_CHECK_LEAF,  OCSP_FIRST_DENY,  0, 1, 0, N, G, RU,  0, 1, 0},
    {"nobody answers",         OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  0, 0, 1, G, G, RU,  0, 0, 0},
    {"nobody, and that is ok", OCSP_CHECK_LEAF,  OCSP_FIRST_HOLD,  1, 0, 1, R, G, OK_, 0, 0, 0},
};
/* clang-format on */

static void what_a_set_makes_of_answers(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct ocsp_policy policy = {.check = r->check, .first = r->first, .fail_ok = r->fail_ok};
        struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
        struct verdict_input in = {.now_s = 10, .ocsp_late = r->late};
        struct path_error e = {VERDICT_OK, 0};
        struct path_ocsp o;

        begin();
        in.ocsp = r->no_table ? NULL : table;
        policy_now = &policy;
        know(0, r->leaf, 100);
        know(1, r->mid, 50);
        T_ROW_EQ(r->name, path_ocsp_ok(&p, &in, &o, &e), r->want == VERDICT_OK);
        T_ROW_EQ(r->name, e.code, r->want);
        T_ROW_EQ(r->name, e.depth, r->depth);
        T_ROW_EQ(r->name, o.want, r->ask);
        T_ROW_EQ(r->name, o.wait, r->wait);
        ocsp_table_free(table);
    }
}

static void a_verdict_ends_with_the_first_answer(void)
{
    struct ocsp_policy policy = {.check = OCSP_CHECK_CHAIN};
    struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
    struct verdict_input in = {.now_s = 10};
    struct path_error e;
    struct path_ocsp o;

    begin();
    in.ocsp = table;
    policy_now = &policy;
    know(0, OCSP_IS_GOOD, 100);
    know(1, OCSP_IS_GOOD, 50);
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.next_s, 50);
    T_EQ(o.this_s, 5);
    in.now_s = 51;
    T_OK(!path_ocsp_ok(&p, &in, &o, &e));
    certs[1].ext |= CERT_EXT_OCSP_NO_CHECK;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.next_s, 100);
    in.ocsp_none = true;
    in.now_s = 101;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    p.n = 1; /* an anchor itself: nobody could say anything */
    in.ocsp_none = false;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    ocsp_table_free(table);
}

/* What is not looked for is not renewed, and a verdict that is kept looks for nothing. */
static void answers_are_looked_for_more_often_than_they_are_renewed(void)
{
    struct ocsp_policy policy = {.check = OCSP_CHECK_CHAIN, .refresh_s = 40};
    struct path p = {{&certs[0], &certs[1], &certs[2]}, 3};
    struct verdict_input in = {.now_s = 1000};
    struct path_error e;
    struct path_ocsp o;

    begin();
    in.ocsp = table;
    policy_now = &policy;
    know(0, OCSP_IS_GOOD, 9000);
    know(1, OCSP_IS_GOOD, 9000);
    certs[1].ext = 0;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.look_s, 1020);
    know(1, OCSP_IS_GOOD, 1040); /* renewed at 1020, if somebody comes before */
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.look_s, 1010);
    in.now_s = 1040;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.look_s, 1040);
    policy.refresh_s = 1;
    in.now_s = 1000;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.look_s, 1000);
    in.ocsp_none = true;
    T_OK(path_ocsp_ok(&p, &in, &o, &e));
    T_EQ(o.look_s, INT64_MAX);
    ocsp_table_free(table);
}

#define TESTS(X)                            \
    X(what_a_set_makes_of_answers)          \
    X(a_verdict_ends_with_the_first_answer) \
        X(answers_are_looked_for_more_often_than_they_are_renewed)
T_MAIN("path_ocsp", TESTS)
