/* Clock, responders and the set's rules are the test's own here. */
#define ctl_wall_s     test_wall_s
#define ocsp_ask_begin test_ask_begin
#define ocsp_ask_free  test_ask_free
#define trust_ocsp     test_policy
#include "control/ocsp_cache.c" /* white box */

#include "lib/t.h"

#define HOUR 3600

static int64_t wall_s;
static uint32_t asked;
static bool too_many;
static struct ocsp_policy policy = {
    .check = OCSP_CHECK_LEAF, .url = "http://r/", .refresh_s = HOUR};

int64_t test_wall_s(void)
{
    return wall_s;
}

res test_ask_begin(struct fetch *f, const struct ocsp_question *q, struct ocsp_ask **out,
                   const char **why)
{
    (void)f, (void)q;
    *out = NULL;
    *why = "too many";
    if (too_many)
        return ERR(EXISTS);
    *out = (struct ocsp_ask *)&asked; /* something that is not NULL */
    asked++;
    return OK;
}

void test_ask_free(struct ocsp_ask *a)
{
    (void)a;
}

const struct ocsp_policy *test_policy(const struct trust *t)
{
    (void)t;
    return &policy;
}

struct bed {
    struct ocsp_table *table;
    struct ocsp_cache *cache;
    struct entry *e;
    struct elog log;
    struct snap_trust trust;
    struct gen gen;
};

/* One certificate, asked about at 1,000,000. */
static void begin(struct bed *b)
{
    static const uint8_t id[OCSP_ID_B] = {1, 2, 3};
    struct ocsp_rec rec = {.cert_b = 0};

    memset(b, 0, sizeof(*b));
    b->log.sink.fd = -1;
    b->log.level = LOG_BUG;
    b->trust.key = 7;
    b->gen.snap.trusts = &b->trust;
    b->gen.snap.trust_count = 1;
    wall_s = 1000000;
    asked = 0;
    too_many = false;
    T_NEED(IS_OK(ocsp_table_new(64, &b->table)));
    T_NEED(IS_OK(ocsp_cache_new(NULL, &b->log, b->table, &b->cache)));
    b->cache->now_s = wall_s;
    b->e = entry_new(b->cache, id, &rec);
    T_NEED(b->e != NULL);
    b->e->trust_key = 7;
    wanted(b->e, &policy);
    T_EQ(asked, 1);
}

static void end(struct bed *b)
{
    ocsp_cache_free(b->cache);
    ocsp_table_free(b->table);
}

static void says(struct bed *b, enum ocsp_status status, int64_t this_s, int64_t until_s)
{
    struct ocsp_said s = {.answer = {.status = status, .this_s = this_s, .until_s = until_s}};

    on_said(b->e, &s);
}

static void is_silent(struct bed *b)
{
    on_said(b->e, &(struct ocsp_said){.why = "silence"});
}

static enum ocsp_what known(struct bed *b)
{
    struct ocsp_entry e;

    ocsp_table_ask(b->table, b->e->id, wall_s, &e);
    return e.what;
}

static void a_good_answer_outlives_silence_until_its_time_is_over(void)
{
    struct bed b;

    begin(&b);
    says(&b, OCSP_GOOD, wall_s - 10, wall_s + 100);
    T_EQ(known(&b), OCSP_IS_GOOD);
    T_EQ(b.e->next_try_s, wall_s + 50); /* half of its time */
    wall_s += 60;
    is_silent(&b);
    T_EQ(known(&b), OCSP_IS_GOOD);
    wall_s += 50;
    T_EQ(known(&b), OCSP_IS_NEW);
    is_silent(&b);
    T_EQ(known(&b), OCSP_IS_UNANSWERED);
    end(&b);
}

static void it_does_not_outlive_a_responder_that_forgot_it(void)
{
    struct bed b;

    begin(&b);
    says(&b, OCSP_GOOD, wall_s - 10, wall_s + HOUR);
    says(&b, OCSP_UNKNOWN, wall_s, wall_s + HOUR);
    T_EQ(known(&b), OCSP_IS_UNANSWERED);
    says(&b, OCSP_GOOD, wall_s, wall_s + HOUR);
    T_EQ(known(&b), OCSP_IS_GOOD);
    end(&b);
}

static void revoked_stays_until_a_newer_answer_says_otherwise(void)
{
    struct bed b;

    begin(&b);
    says(&b, OCSP_REVOKED, wall_s - 10, wall_s + 100);
    T_EQ(known(&b), OCSP_IS_REVOKED);
    wall_s += 10 * HOUR;
    for (int i = 0; i < 10; i++)
        is_silent(&b);
    T_EQ(known(&b), OCSP_IS_REVOKED);
    says(&b, OCSP_UNKNOWN, wall_s, wall_s + HOUR);
    T_EQ(known(&b), OCSP_IS_REVOKED);
    says(&b, OCSP_GOOD, 1000000 - 11, wall_s + HOUR); /* from before: shown to us again */
    T_EQ(known(&b), OCSP_IS_REVOKED);
    says(&b, OCSP_GOOD, wall_s, wall_s + HOUR); /* a hold that was lifted */
    T_EQ(known(&b), OCSP_IS_GOOD);
    end(&b);
}

static void a_dead_responder_is_not_run_over(void)
{
    static const int64_t waits[] = {5, 10, 20, 40, 80, 160, 300, 300, 300};
    struct bed b;

    begin(&b);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        is_silent(&b);
        T_EQ(b.e->next_try_s - wall_s, waits[i]);
        T_EQ(known(&b), OCSP_IS_UNANSWERED);
        wanted(b.e, &policy); /* a core that has lost it is told again, nobody is asked */
        T_EQ(asked, 1 + i);
        wall_s += waits[i] + 1;
        b.cache->now_s = wall_s;
        T_EQ(known(&b), OCSP_IS_NEW);
        wanted(b.e, &policy);
        T_EQ(asked, 2 + i);
    }
    end(&b);
}

static void who_is_in_use_is_asked_about_again(void)
{
    struct ocsp_cache_stats st;
    struct bed b;

    begin(&b);
    says(&b, OCSP_GOOD, wall_s, wall_s + 100 * HOUR);
    T_EQ(b.e->next_try_s, wall_s + HOUR); /* the set says so */
    wall_s += HOUR;
    ocsp_cache_tick(b.cache, wall_s, &b.gen);
    T_EQ(asked, 1); /* no core has looked for it */
    (void)known(&b);
    ocsp_cache_tick(b.cache, ++wall_s, &b.gen);
    T_EQ(asked, 2);
    says(&b, OCSP_GOOD, wall_s, wall_s + 100);
    wall_s += 101;
    ocsp_cache_tick(b.cache, wall_s, &b.gen); /* its time is over, and nobody cares */
    ocsp_cache_stats(b.cache, &st);
    T_EQ(st.entries, 0);
    end(&b);
}

static void a_set_that_is_gone_asks_nobody(void)
{
    struct bed b;

    begin(&b);
    says(&b, OCSP_GOOD, wall_s, wall_s + HOUR);
    b.trust.key = 8;
    wall_s += HOUR / 2 + 1;
    (void)known(&b);
    ocsp_cache_tick(b.cache, wall_s, &b.gen);
    T_EQ(asked, 1);
    end(&b);
}

static void no_question_can_be_put(void)
{
    struct bed b;

    begin(&b);
    is_silent(&b);
    wall_s += 6;
    b.cache->now_s = wall_s;
    too_many = true;
    wanted(b.e, &policy);
    T_EQ(known(&b), OCSP_IS_UNANSWERED);
    T_OK(!ocsp_cache_record(b.cache, SPAN_LIT("short"), &b.gen, NULL));
    end(&b);
}

static void revoked_ones_do_not_make_room(void)
{
    struct ocsp_rec rec = {.cert_b = 0};
    uint8_t id[OCSP_ID_B] = {9};
    struct bed b;

    begin(&b);
    says(&b, OCSP_REVOKED, wall_s, wall_s + HOUR);
    for (uint32_t i = 1; i < OCSP_CACHE_MAX + 100; i++) {
        memcpy(id + 4, &i, 4);
        T_NEED(entry_new(b.cache, id, &rec) != NULL);
    }
    T_EQ(b.cache->count, OCSP_CACHE_MAX);
    T_EQ(known(&b), OCSP_IS_REVOKED);
    T_EQ(b.cache->st.overflow, 0);
    end(&b);
}

#define TESTS(X)                                                              \
    X(a_good_answer_outlives_silence_until_its_time_is_over)                  \
    X(it_does_not_outlive_a_responder_that_forgot_it)                         \
    X(revoked_stays_until_a_newer_answer_says_otherwise)                      \
    X(a_dead_responder_is_not_run_over) X(who_is_in_use_is_asked_about_again) \
        X(a_set_that_is_gone_asks_nobody) X(no_question_can_be_put)           \
            X(revoked_ones_do_not_make_room)
T_MAIN("ocsp_cache", TESTS)
