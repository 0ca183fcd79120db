#include "control/ocsp_cache.h"

#include "control/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADS         16384u
#define RESPONDER_MS  10000u /* a responder may be slower than a request is held */
#define FIRST_RETRY_S 5      /* after a failure; then twice as long each time, */
#define LAST_RETRY_S  300    /* but no longer */
#define EARLIEST_S    1
#define KEEP_REVOKED  (30 * 86400) /* that nobody looks for; others: until their time is over */
#define FOREVER       INT64_MAX
#define WHY_B         96
#define SAID_MAX      20u

struct entry {
    struct entry *next; /* with the same head */
    uint8_t id[OCSP_ID_B];
    uint32_t index; /* in `all` */
    struct ocsp_cache *cache;
    struct ocsp_ask *ask; /* under way */
    uint64_t trust_key;   /* whose rules it was asked by, last */
    enum ocsp_what what;  /* OCSP_IS_NEW: no answer yet */
    int64_t this_s, until_s, next_try_s, seen_s;
    uint32_t wait_s, refresh_s;
    uint32_t cert_b, issuer_b;
    char why[WHY_B];
    uint8_t der[]; /* of both */
};

struct ocsp_cache {
    struct fetch *fetch;
    struct elog *log;
    struct ocsp_table *table;
    struct entry *heads[HEADS];
    struct entry **all;
    uint32_t count, hand; /* where the next room is looked for */
    int64_t now_s, ticked_s, said_min, full_min;
    uint32_t said; /* in that minute */
    struct ocsp_cache_stats st;
};

res ocsp_cache_new(struct fetch *f, struct elog *log, struct ocsp_table *table,
                   struct ocsp_cache **out)
{
    struct ocsp_cache *c = (struct ocsp_cache *)calloc(1, sizeof(*c));

    *out = NULL;
    if (!c)
        return ERR(NOMEM);
    c->all = (struct entry **)calloc(OCSP_CACHE_MAX, sizeof(struct entry *));
    if (!c->all) {
        free(c);
        return ERR(NOMEM);
    }
    c->fetch = f;
    c->log = log;
    c->table = table;
    *out = c;
    return OK;
}

/* --- the entries --- */

static struct entry **head_of(struct ocsp_cache *c, const uint8_t id[OCSP_ID_B])
{
    uint32_t h;

    memcpy(&h, id, sizeof(h));
    return &c->heads[h % HEADS];
}

static struct entry *find(struct ocsp_cache *c, const uint8_t id[OCSP_ID_B])
{
    for (struct entry *e = *head_of(c, id); e; e = e->next) {
        if (memcmp(e->id, id, OCSP_ID_B) == 0)
            return e;
    }
    return NULL;
}

static void forget(struct entry *e)
{
    struct ocsp_cache *c = e->cache;
    struct entry **at = head_of(c, e->id);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    c->all[e->index] = c->all[--c->count];
    c->all[e->index]->index = e->index;
    c->all[c->count] = NULL;
    ocsp_table_drop(c->table, e->id);
    ocsp_ask_free(e->ask);
    free(e);
}

void ocsp_cache_free(struct ocsp_cache *c)
{
    if (!c)
        return;
    while (c->count)
        forget(c->all[0]);
    free(c->all);
    free(c);
}

static void say_full(struct ocsp_cache *c)
{
    if (c->full_min == c->now_s / 60)
        return;
    c->full_min = c->now_s / 60;
    elog(c->log, LOG_OPER, "ocsp.no_room", "why",
         "too many certificates are revoked or being asked about", NULL);
}

/* Somebody has to go: not who is being asked about, nor who is revoked. */
static bool make_room(struct ocsp_cache *c)
{
    if (c->count < OCSP_CACHE_MAX)
        return true;
    for (uint32_t i = 0; i < 64; i++) {
        struct entry *e = c->all[c->hand++ % c->count];

        if (!e->ask && e->what != OCSP_IS_REVOKED) {
            forget(e);
            return true;
        }
    }
    c->st.overflow++;
    say_full(c);
    return false;
}

static struct entry *entry_new(struct ocsp_cache *c, const uint8_t id[OCSP_ID_B],
                               const struct ocsp_rec *rec)
{
    struct entry *e;

    if (!make_room(c) || !(e = (struct entry *)calloc(1, sizeof(*e) + rec->cert_b + rec->issuer_b)))
        return NULL;
    memcpy(e->id, id, OCSP_ID_B);
    e->cache = c;
    e->cert_b = rec->cert_b;
    e->issuer_b = rec->issuer_b;
    memcpy(e->der, rec->der, (size_t)rec->cert_b + rec->issuer_b);
    e->wait_s = FIRST_RETRY_S;
    e->seen_s = c->now_s;
    e->next = *head_of(c, id);
    *head_of(c, id) = e;
    e->index = c->count;
    c->all[c->count++] = e;
    return e;
}

static struct span cert_of(const struct entry *e)
{
    return span_of(e->der, e->cert_b);
}

static struct span issuer_of(const struct entry *e)
{
    return span_of(e->der + e->cert_b, e->issuer_b);
}

/* --- answers --- */

/* What the entry says, as cores see it. */
static void put(struct entry *e)
{
    const struct ocsp_entry say = {e->what, e->this_s, e->until_s};

    if (e->what != OCSP_IS_NEW)
        ocsp_table_put(e->cache->table, e->id, &say);
}

static void say(struct entry *e, enum log_level level, const char *event)
{
    char text[256], serial[64];
    struct sb s = sb_of(text, sizeof(text)), n = sb_of(serial, sizeof(serial));
    struct cert c;
    const char *why;

    if (IS_OK(cert_parse(cert_of(e), &c, &why))) {
        cert_name_text(&s, c.subject);
        cert_serial_text(&n, c.serial);
    }
    elog(e->cache->log, level, event, "subject", text, "serial", serial, "why", e->why, NULL);
}

/* A responder that is dead fails for everybody: some lines a minute are enough. */
static void say_unanswered(struct entry *e)
{
    struct ocsp_cache *c = e->cache;

    if (c->said_min != c->now_s / 60)
        c->said = 0;
    c->said_min = c->now_s / 60;
    if (c->said++ < SAID_MAX)
        say(e, LOG_OPER, "ocsp.unanswered");
}

/* An answer that is still good outlives a responder that is silent, not one that does not know it any more. */
static void failed(struct entry *e, const char *why, bool said_so)
{
    int64_t now = e->cache->now_s;
    bool first = e->what != OCSP_IS_UNANSWERED;

    snprintf(e->why, sizeof(e->why), "%s", why);
    e->cache->st.failures++;
    e->next_try_s = now + e->wait_s;
    e->wait_s = e->wait_s < LAST_RETRY_S / 2 ? 2 * e->wait_s : LAST_RETRY_S;
    if (e->what == OCSP_IS_REVOKED)
        return;
    if (e->what == OCSP_IS_GOOD && !said_so && now <= e->until_s) {
        if (e->next_try_s > e->until_s)
            e->next_try_s = e->until_s + 1;
        return;
    }
    e->what = OCSP_IS_UNANSWERED;
    e->this_s = 0;
    e->until_s = e->next_try_s;
    put(e);
    if (first)
        say_unanswered(e);
}

static void answered(struct entry *e, const struct ocsp_answer *a)
{
    int64_t now = e->cache->now_s, half = (a->until_s - now) / 2;
    bool revoked = a->status == OCSP_REVOKED;

    if (a->status == OCSP_UNKNOWN) {
        failed(e, "the responder does not know this certificate", true);
        return;
    }
    if (a->this_s < e->this_s && e->what != OCSP_IS_UNANSWERED) {
        failed(e, "the answer is older than the one before", false);
        return;
    }
    e->cache->st.answers++;
    if (half > (int64_t)e->refresh_s)
        half = e->refresh_s;
    e->next_try_s = now + (half < EARLIEST_S ? EARLIEST_S : half);
    e->this_s = a->this_s;
    /* Silence afterwards does not make it good again: only a newer answer does (a hold that was lifted). */
    e->until_s = revoked ? FOREVER : a->until_s;
    e->wait_s = FIRST_RETRY_S;
    snprintf(e->why, sizeof(e->why), "%s", revoked ? ocsp_reason_name(a->reason) : "");
    if (revoked && e->what != OCSP_IS_REVOKED)
        say(e, LOG_PEER, "ocsp.revoked");
    e->what = revoked ? OCSP_IS_REVOKED : OCSP_IS_GOOD;
    put(e);
}

static void on_said(void *ctx, const struct ocsp_said *s)
{
    struct entry *e = (struct entry *)ctx;

    ocsp_ask_free(e->ask);
    e->ask = NULL;
    e->cache->now_s = ctl_wall_s();
    if (s->why)
        failed(e, s->why, false);
    else
        answered(e, &s->answer);
}

/* --- questions --- */

static const struct snap_trust *trust_by_key(const struct gen *g, uint64_t key)
{
    for (uint32_t i = 0; i < g->snap.trust_count; i++) {
        if (g->snap.trusts[i].key == key)
            return &g->snap.trusts[i];
    }
    return NULL;
}

static const struct snap_trust *trust_by_id(const struct gen *g, const uint8_t id[32])
{
    for (uint32_t i = 0; i < g->snap.trust_count; i++) {
        if (memcmp(trust_id(g->snap.trusts[i].trust), id, 32) == 0)
            return &g->snap.trusts[i];
    }
    return NULL;
}

static void ask(struct entry *e, const struct ocsp_policy *policy)
{
    struct ocsp_cache *c = e->cache;
    struct ocsp_question q = {.cert = cert_of(e),
                              .issuer = issuer_of(e),
                              .timeout_ms = policy->timeout_ms > RESPONDER_MS ? policy->timeout_ms
                                                                              : RESPONDER_MS,
                              .nonce = policy->nonce,
                              .said = on_said,
                              .ctx = e};
    struct cert cert;
    const char *why = "";
    char *own = NULL;

    e->refresh_s = policy->refresh_s;
    if (!policy->url && IS_OK(cert_parse(q.cert, &cert, &why)))
        own = ocsp_ask_url(&cert);
    q.url = policy->url ? policy->url : own;
    c->st.requests++;
    if (!q.url)
        failed(e, "it names no OCSP responder: give ocsp_url", false);
    else if (!IS_OK(ocsp_ask_begin(c->fetch, &q, &e->ask, &why)))
        failed(e, why, false);
    free(own);
}

/* What a core knows, if it has to be told again; else the responder is asked. */
static void wanted(struct entry *e, const struct ocsp_policy *policy)
{
    e->seen_s = e->cache->now_s;
    if (e->ask)
        return;
    if (e->what != OCSP_IS_NEW && e->until_s >= e->cache->now_s)
        put(e);
    else
        ask(e, policy);
}

bool ocsp_cache_record(struct ocsp_cache *c, struct span record, const struct gen *now,
                       const struct gen *retired)
{
    const struct ocsp_rec *rec = (const struct ocsp_rec *)(const void *)record.p;
    const struct snap_trust *t;
    struct cert cert, issuer;
    uint8_t id[OCSP_ID_B];
    const char *why;
    struct entry *e;

    if (record.len < sizeof(*rec) || rec->cert_b > CERT_DER_MAX || rec->issuer_b > CERT_DER_MAX ||
        record.len < sizeof(*rec) + rec->cert_b + rec->issuer_b)
        return false;
    c->st.questions++;
    c->now_s = ctl_wall_s();
    t = trust_by_id(now, rec->trust_id);
    for (const struct gen *g = retired; g && !t; g = g->next)
        t = trust_by_id(g, rec->trust_id); /* a request that began with it waits for the answer */
    if (!t || trust_ocsp(t->trust)->check == OCSP_CHECK_OFF)
        return true;
    if (!IS_OK(cert_parse(span_of(rec->der, rec->cert_b), &cert, &why)) ||
        !IS_OK(cert_parse(span_of(rec->der + rec->cert_b, rec->issuer_b), &issuer, &why)))
        return false;
    ocsp_id(&cert, &issuer, id);
    e = find(c, id);
    if (!e)
        e = entry_new(c, id, rec);
    if (!e)
        return true;
    e->trust_key = t->key;
    wanted(e, trust_ocsp(t->trust));
    return true;
}

/* Nobody has looked for it since its time ended. */
static bool stale(const struct entry *e)
{
    int64_t keep = e->what == OCSP_IS_REVOKED ? e->seen_s + KEEP_REVOKED : e->until_s;

    return e->cache->now_s > keep && e->cache->now_s > e->seen_s;
}

static void turn(struct entry *e, const struct gen *now)
{
    const struct snap_trust *t;

    if (e->ask || e->cache->now_s < e->next_try_s)
        return;
    t = trust_by_key(now, e->trust_key);
    if (t && trust_ocsp(t->trust)->check != OCSP_CHECK_OFF &&
        ocsp_table_touched(e->cache->table, e->id)) {
        e->seen_s = e->cache->now_s;
        ask(e, trust_ocsp(t->trust));
        return;
    }
    if (stale(e))
        forget(e);
}

void ocsp_cache_tick(struct ocsp_cache *c, int64_t now_s, const struct gen *now)
{
    if (c->ticked_s == now_s)
        return;
    c->ticked_s = c->now_s = now_s;
    for (uint32_t i = c->count; i-- > 0;) /* backwards: forget() fills a gap with the last one */
        turn(c->all[i], now);
}

/* --- for people --- */

void ocsp_cache_stats(const struct ocsp_cache *c, struct ocsp_cache_stats *out)
{
    *out = c->st;
    out->entries = c->count;
    for (uint32_t i = 0; i < c->count; i++) {
        out->asking += c->all[i]->ask != NULL;
        out->good += c->all[i]->what == OCSP_IS_GOOD;
        out->revoked += c->all[i]->what == OCSP_IS_REVOKED;
        out->unanswered += c->all[i]->what == OCSP_IS_UNANSWERED;
    }
}

bool ocsp_cache_next(const struct ocsp_cache *c, uint32_t *it, struct ocsp_cache_view *out)
{
    static const char *const states[] = {"asked", "good", "revoked", "unanswered"};
    const struct entry *e;
    struct cert cert;
    const char *why;

    if (*it >= c->count)
        return false;
    e = c->all[(*it)++];
    *out = (struct ocsp_cache_view){.state = states[e->what],
                                    .why = e->why,
                                    .this_s = e->this_s,
                                    .until_s = e->until_s == FOREVER ? 0 : e->until_s,
                                    .next_try_s = e->next_try_s};
    if (IS_OK(cert_parse(cert_of(e), &cert, &why))) {
        out->serial = cert.serial;
        out->issuer = cert.issuer;
    }
    return true;
}
