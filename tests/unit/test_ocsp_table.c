#include "crypto/ocsp_table.c" /* white box */

#include "lib/t.h"

#include <pthread.h>
#include <sched.h>

static void id_of(uint8_t id[OCSP_ID_B], uint32_t bucket_no, uint32_t n)
{
    memset(id, 0, OCSP_ID_B);
    memcpy(id + 4, &bucket_no, 4); /* the upper half of the first word chooses the bucket */
    memcpy(id, &n, 4);
    memcpy(id + 28, &n, 4);
}

static enum ocsp_what ask(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], int64_t now_s)
{
    struct ocsp_entry e;

    ocsp_table_ask(t, id, now_s, &e);
    return e.what;
}

static void put(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], enum ocsp_what what,
                int64_t until_s)
{
    ocsp_table_put(t, id, &(struct ocsp_entry){what, 1, until_s});
}

static void an_answer_is_there_until_its_time_is_over(void)
{
    struct ocsp_table *t = NULL;
    uint8_t a[OCSP_ID_B], b[OCSP_ID_B];

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    id_of(a, 1, 1);
    id_of(b, 1, 2);
    T_EQ(ask(t, a, 0), OCSP_IS_NEW);
    put(t, a, OCSP_IS_GOOD, 100);
    T_EQ(ask(t, a, 100), OCSP_IS_GOOD);
    T_EQ(ask(t, a, 101), OCSP_IS_NEW);
    T_EQ(ask(t, b, 100), OCSP_IS_NEW);
    put(t, a, OCSP_IS_REVOKED, INT64_MAX);
    T_EQ(ask(t, a, 101), OCSP_IS_REVOKED);
    ocsp_table_drop(t, a);
    T_EQ(ask(t, a, 101), OCSP_IS_NEW);
    ocsp_table_free(t);
}

static void who_was_looked_for_is_known(void)
{
    struct ocsp_table *t = NULL;
    uint8_t a[OCSP_ID_B];

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    id_of(a, 1, 1);
    T_OK(!ocsp_table_touched(t, a));
    put(t, a, OCSP_IS_GOOD, 100);
    T_OK(!ocsp_table_touched(t, a));
    (void)ask(t, a, 1);
    T_OK(ocsp_table_touched(t, a));
    T_OK(!ocsp_table_touched(t, a));
    (void)ask(t, a, 200); /* too old, but wanted */
    T_OK(ocsp_table_touched(t, a));
    ocsp_table_free(t);
}

static void versions_move(void)
{
    struct ocsp_table *t = NULL;
    uint8_t a[OCSP_ID_B];

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    id_of(a, 1, 1);
    put(t, a, OCSP_IS_GOOD, 100);
    T_EQ(ocsp_table_version(t), 1);
    T_EQ(ocsp_table_worse(t), 0);
    put(t, a, OCSP_IS_REVOKED, 100);
    T_EQ(ocsp_table_worse(t), 1);
    put(t, a, OCSP_IS_REVOKED, 200); /* as bad as before */
    T_EQ(ocsp_table_worse(t), 1);
    put(t, a, OCSP_IS_GOOD, 200);
    put(t, a, OCSP_IS_UNANSWERED, 200);
    T_EQ(ocsp_table_worse(t), 2);
    T_EQ(ocsp_table_version(t), 5);
    id_of(a, 1, 2);
    put(t, a, OCSP_IS_UNANSWERED, 200); /* somebody may have been let in meanwhile */
    T_EQ(ocsp_table_worse(t), 3);
    ocsp_table_free(t);
}

static void in_a_full_bucket_the_oldest_gives_way(void)
{
    struct ocsp_table *t = NULL;
    uint8_t id[OCSP_ID_B];

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    for (uint32_t i = 0; i < WAYS; i++) {
        id_of(id, 3, i);
        put(t, id, OCSP_IS_GOOD, 100 + (i == 5 ? 0 : 10 + i));
    }
    id_of(id, 3, 99);
    put(t, id, OCSP_IS_GOOD, 500);
    T_EQ(ask(t, id, 1), OCSP_IS_GOOD);
    for (uint32_t i = 0; i < WAYS; i++) {
        id_of(id, 3, i);
        T_EQ(ask(t, id, 1), i == 5 ? OCSP_IS_NEW : OCSP_IS_GOOD);
    }
    ocsp_table_free(t);
}

static void what_is_being_written_is_not_read(void)
{
    struct ocsp_table *t = NULL;
    uint8_t id[OCSP_ID_B];
    uint64_t w[OCSP_ID_B / 8];
    struct slot *s;

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    id_of(id, 1, 1);
    put(t, id, OCSP_IS_GOOD, 100);
    words_of(id, w);
    s = find(t, w);
    T_NEED(s != NULL);
    T_EQ(s->seq & 1, 0);
    s->seq++;
    T_EQ(ask(t, id, 1), OCSP_IS_NEW);
    s->seq++;
    T_EQ(ask(t, id, 1), OCSP_IS_GOOD);
    ocsp_table_free(t);
}

static int begun, stop;

/* By turns two answers about one certificate, each with times that belong together. */
static void *writer(void *arg)
{
    struct ocsp_table *t = (struct ocsp_table *)arg;
    uint8_t id[OCSP_ID_B];

    id_of(id, 1, 1);
    for (int64_t n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        ocsp_table_put(t, id, &(struct ocsp_entry){OCSP_IS_GOOD, n, n + 1000000});
        __atomic_store_n(&begun, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void a_reader_never_gets_a_mixture(void)
{
    struct ocsp_table *t = NULL;
    uint8_t id[OCSP_ID_B];
    uint32_t seen = 0, wrong = 0;
    pthread_t thread;

    T_NEED(IS_OK(ocsp_table_new(64, &t)));
    id_of(id, 1, 1);
    put(t, id, OCSP_IS_GOOD, 1000001);
    T_NEED(pthread_create(&thread, NULL, writer, t) == 0);
    while (!__atomic_load_n(&begun, __ATOMIC_RELAXED)) /* it may have to wait for a CPU */
        sched_yield();
    for (uint32_t i = 0; i < 2000000 || (seen == 0 && i < 2000000000); i++) {
        struct ocsp_entry e;

        ocsp_table_ask(t, id, 1, &e);
        if (e.what == OCSP_IS_NEW) /* the writer was faster each time */
            continue;
        seen++;
        wrong += e.until_s != e.this_s + 1000000;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    T_EQ(wrong, 0);
    T_OK(seen > 0);
    ocsp_table_free(t);
}

#define TESTS(X)                                 \
    X(an_answer_is_there_until_its_time_is_over) \
    X(who_was_looked_for_is_known)               \
    X(versions_move)                             \
    X(in_a_full_bucket_the_oldest_gives_way)     \
    X(what_is_being_written_is_not_read) X(a_reader_never_gets_a_mixture)
T_MAIN("ocsp_table", TESTS)
