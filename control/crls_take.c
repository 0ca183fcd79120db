/* A list is asked for; what becomes of the answer. */
#include "control/crls_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define TIME_B 32

static void time_text(char *out, int64_t s)
{
    time_t t = (time_t)s;
    struct tm tm;

    if (s == INT64_MAX || !gmtime_r(&t, &tm) || !strftime(out, TIME_B, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, TIME_B, "never");
}

static uint32_t dice(void)
{
    uint32_t v = 0;

    return getrandom(&v, sizeof(v), GRND_NONBLOCK) == sizeof(v) ? v : 0;
}

static void keep_text(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from ? from : "");
}

/* --- ends of a request --- */

static void bad(struct source *s, enum crls_ctr what, const char *event, const char *why)
{
    char next[24];
    int64_t delay = crls_backoff_ms(&s->pace, ++s->failures, dice());

    s->due_ms = crls_mono_ms() + delay;
    keep_text(s->error, sizeof(s->error), why);
    crls_bump(s, what);
    snprintf(next, sizeof(next), "%lld", (long long)(delay + 999) / 1000);
    elog(s->k->elog, LOG_OPER, event, "url", s->url, "why", why, "held",
         s->held_count ? "the list before" : "none", "next_try_s", next, NULL);
}

static void good(struct source *s, const struct fetch_answer *a, enum crls_ctr what)
{
    int64_t now_s = crls_wall_s(), next_s = crls_next_s(s);
    int64_t left = next_s == INT64_MAX ? INT64_MAX : next_s - now_s;

    s->good_s = now_s;
    s->failures = 0;
    s->error[0] = '\0';
    s->max_age_s = a->max_age_s;
    s->due_ms = crls_mono_ms() + crls_delay_ms(&s->pace, left, a->max_age_s, dice());
    crls_bump(s, what);
}

static void tell_taken(struct source *s)
{
    char lists[16], serials[24], next[TIME_B];
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->held_count; i++)
        n += crl_count(s->held[i]);
    snprintf(lists, sizeof(lists), "%u", s->held_count);
    snprintf(serials, sizeof(serials), "%llu", (unsigned long long)n);
    time_text(next, crls_next_s(s));
    elog(s->k->elog, LOG_INFO, "crl.taken", "url", s->url, "lists", lists, "serials", serials,
         "next_update", next, NULL);
}

/* --- the lists of an answer --- */

static bool may_follow(struct crl *fresh, struct crl *held, struct sb *why)
{
    char a[TIME_B], b[TIME_B];

    if (!crl_older(fresh, held))
        return true;
    time_text(a, crl_this_s(fresh));
    time_text(b, crl_this_s(held));
    sb_fmt(why,
           "it is older than the one that is held (thisUpdate %s, held %s), or has a lower number",
           a, b);
    return false;
}

/* Into `to`, which is what is held: in the place of the one of its scope, or behind the others. */
static bool place(struct crl **to, uint32_t *n, struct crl *fresh, struct sb *why)
{
    if (crl_this_s(fresh) > crls_wall_s()) {
        sb_str(why, "its thisUpdate lies in the future: is the clock right?");
        return false;
    }
    for (uint32_t i = 0; i < *n; i++) {
        if (!crl_same_scope(to[i], fresh))
            continue;
        if (!may_follow(fresh, to[i], why))
            return false;
        to[i] = fresh;
        return true;
    }
    if (*n == CRLS_HELD_MAX) {
        sb_fmt(why, "more than %d lists of different CAs or distribution points", CRLS_HELD_MAX);
        return false;
    }
    to[(*n)++] = fresh;
    return true;
}

static bool same_ids(const struct source *s, struct crl *const *lists, uint32_t n)
{
    for (uint32_t i = 0; i < n && n == s->held_count; i++) {
        if (memcmp(crl_id(s->held[i]), crl_id(lists[i]), 32) != 0)
            return false;
    }
    return n == s->held_count;
}

static void exchange(struct source *s, struct crl *const *lists, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        (void)crl_ref(lists[i]);
    for (uint32_t i = 0; i < s->held_count; i++)
        crl_unref(s->held[i]);
    memcpy(s->held, lists, n * sizeof(s->held[0]));
    s->held_count = n;
    s->expired_said = false;
}

bool crls_take(struct source *s, const struct trust *const *sets, size_t count, struct span text,
               bool *news, struct sb *why)
{
    const struct cert *cas[CRLS_LEARNT_ALL];
    struct revocation_signers signers = {sets, count, cas, crls_learnt_cas_at(s->k, s->url, cas)};
    struct crl *fresh[CRLS_HELD_MAX], *next[CRLS_HELD_MAX];
    uint32_t next_count = s->held_count;
    size_t n = 0;
    bool ok;

    *news = false;
    if (!IS_OK(revocation_read(&signers, text, why, fresh, CRLS_HELD_MAX, &n))) {
        if (!why->len)
            sb_str(why, "no memory for it");
        return false;
    }
    memcpy(next, s->held, sizeof(next));
    ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = place(next, &next_count, fresh[i], why);
    *news = ok && !same_ids(s, next, next_count);
    if (*news)
        exchange(s, next, next_count);
    for (size_t i = 0; i < n; i++)
        crl_unref(fresh[i]);
    return ok;
}

static void take_answer(struct source *s, const struct fetch_answer *a)
{
    const struct trust **signers =
        (const struct trust **)calloc(s->uses.n + 1, sizeof(struct trust *));
    char text[512];
    struct sb why = sb_of(text, sizeof(text));
    bool news = false, ok;

    for (uint32_t i = 0; signers && i < s->uses.n; i++)
        signers[i] = s->k->now->trusts[s->uses.v[i]].trust;
    ok = signers && crls_take(s, signers, s->uses.n, a->body, &news, &why);
    free(signers);
    if (!ok) {
        bad(s, CRLS_REFUSED, "crl.refused", text[0] ? text : "no memory for it");
        return;
    }
    keep_text(s->etag, sizeof(s->etag), a->etag);
    keep_text(s->changed, sizeof(s->changed), a->changed);
    good(s, a, news ? CRLS_TAKEN : CRLS_UNCHANGED);
    if (!news)
        return;
    if (!s->k->dirty)
        s->k->dirty_ms = crls_mono_ms();
    s->k->dirty = true;
    tell_taken(s);
    crls_cache_save(s, a->body);
}

static void on_answer(void *ctx, const struct fetch_answer *a)
{
    struct source *s = (struct source *)ctx;

    s->request = 0;
    s->k->active--;
    switch (a->end) {
    case FETCH_OK:
        take_answer(s, a);
        break;
    case FETCH_NOT_MODIFIED:
        if (s->held_count)
            good(s, a, CRLS_UNCHANGED);
        else
            bad(s, CRLS_FAILED, "crl.failed", "\"not modified\", but nothing is held");
        break;
    case FETCH_TOO_LARGE:
        bad(s, CRLS_TOO_LARGE, "crl.refused", "the answer is larger than trust.crl_max");
        break;
    case FETCH_TIMEOUT:
        bad(s, CRLS_TIMEOUT, "crl.failed", "no whole answer within trust.crl_timeout");
        break;
    case FETCH_REFUSED:
    case FETCH_FAILED:
        bad(s, CRLS_FAILED, "crl.failed", a->why);
        break;
    }
}

void crls_ask(struct source *s)
{
    struct fetch_request r = {.url = s->url,
                              .etag = s->etag[0] ? s->etag : NULL,
                              .changed = s->changed[0] ? s->changed : NULL,
                              .accept = "application/pkix-crl, */*",
                              .max_b = s->pace.max_b,
                              .timeout_ms = s->pace.timeout_ms,
                              .file_ok = s->file,
                              .done = on_answer,
                              .ctx = s};
    res begun = fetch_begin(s->k->fetch, &r, &s->request);

    crls_bump(s, CRLS_ASKED);
    if (IS_OK(begun))
        s->k->active++;
    else
        bad(s, CRLS_FAILED, "crl.failed",
            s->file ? "there is no such regular file" : "it cannot be asked now");
}
