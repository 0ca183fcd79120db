#include "control/crls_parts.h"

#include "base/url.h"

#include <stdlib.h>
#include <time.h>

#define LOOK_MS    100  /* between two looks at all sources */
#define SETTLE_MS  500  /* lists that come together make one generation */
#define PUT_OFF_MS 5000 /* after one that could not be made */
#define POINTS_MAX 8    /* distribution points of one certificate */

const struct ctr_desc crls_ctrs[CRLS_CTR_COUNT] = {
#define CTR(sym, name, help) {name, help},
#include "control/crls.def"
#undef CTR
};

int64_t crls_mono_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t crls_wall_s(void)
{
    return (int64_t)time(NULL);
}

void crls_bump(struct source *s, enum crls_ctr what)
{
    s->ctr[what]++;
    s->k->ctr[what]++;
}

int64_t crls_next_s(const struct source *s)
{
    int64_t next = INT64_MAX;

    for (uint32_t i = 0; i < s->held_count; i++) {
        if (crl_next_s(s->held[i]) < next)
            next = crl_next_s(s->held[i]);
    }
    return next;
}

/* --- sources --- */

res crls_new(struct fetch *fetch, struct elog *elog, const char *cache, struct crls **out)
{
    struct crls *k = (struct crls *)calloc(1, sizeof(*k));

    *out = NULL;
    if (!k)
        return ERR(NOMEM);
    k->fetch = fetch;
    k->elog = elog;
    k->cache = cache ? strdup(cache) : NULL;
    if (cache && !k->cache) {
        free(k);
        return ERR(NOMEM);
    }
    *out = k;
    return OK;
}

static void source_free(struct source *s)
{
    if (s->request) {
        fetch_cancel(s->k->fetch, s->request);
        s->k->active--;
    }
    for (uint32_t i = 0; i < s->held_count; i++)
        crl_unref(s->held[i]);
    free(s->uses.v);
    free(s->planned.v);
    free(s->url);
    free(s);
}

void crls_free(struct crls *k)
{
    if (!k)
        return;
    while (k->sources) {
        struct source *s = k->sources;

        k->sources = s->next;
        source_free(s);
    }
    free(k->cache);
    free(k);
}

static struct source *source_new(struct crls *k, const char *url)
{
    struct source *s = (struct source *)calloc(1, sizeof(*s)), **end = &k->sources;
    const char *why;

    if (!s)
        return NULL;
    s->k = k;
    s->fresh = true;
    s->max_age_s = -1;
    s->url = strdup(url);
    s->file = url_scheme(url, &why) == URL_FILE;
    if (!s->url) {
        free(s);
        return NULL;
    }
    while (*end) /* in the order of the configuration */
        end = &(*end)->next;
    *end = s;
    k->count++;
    return s;
}

static struct source *source_of(struct crls *k, const char *url)
{
    struct source *s = k->sources;

    while (s && strcmp(s->url, url) != 0)
        s = s->next;
    return s;
}

/* --- the plan --- */

void crls_plan(struct crls *k)
{
    for (struct source *s = k->sources; s; s = s->next) {
        s->planned.n = 0;
        s->planned_pace = (struct pace){0};
    }
}

/* Those that the plan does not name, or those that only it did. */
static void drop(struct crls *k, bool fresh)
{
    struct source **at = &k->sources;

    while (*at) {
        struct source *s = *at;

        if (fresh ? s->fresh : s->planned.n == 0) {
            *at = s->next;
            k->count--;
            source_free(s);
        } else {
            at = &s->next;
        }
    }
}

void crls_revert(struct crls *k)
{
    drop(k, true);
}

void crls_commit(struct crls *k, const struct snap *now)
{
    drop(k, false);
    for (struct source *s = k->sources; s; s = s->next) {
        struct uses was = s->uses;

        s->uses = s->planned;
        s->planned = was;
        if (memcmp(&s->pace, &s->planned_pace, sizeof(s->pace)) != 0)
            s->due_ms = 0;
        s->pace = s->planned_pace;
        s->fresh = false;
    }
    k->now = now;
    k->ctr[CRLS_USED] += k->dirty;
    k->dirty = false;
    k->look_ms = 0;
}

static bool use(struct uses *u, uint32_t index)
{
    if (u->n && u->v[u->n - 1] == index)
        return true; /* named twice by the same set */
    if (u->n == u->cap) {
        uint32_t cap = u->cap ? 2 * u->cap : 4;
        uint32_t *more = (uint32_t *)realloc(u->v, cap * sizeof(*more));

        if (!more)
            return false;
        u->v = more;
        u->cap = cap;
    }
    u->v[u->n++] = index;
    return true;
}

static void merge_pace(struct pace *p, const struct cfg_trust *t)
{
    if (t->crl_refresh_ms && (!p->refresh_ms || t->crl_refresh_ms < p->refresh_ms))
        p->refresh_ms = t->crl_refresh_ms;
    if (t->crl_timeout_ms > p->timeout_ms)
        p->timeout_ms = t->crl_timeout_ms;
    if (t->crl_max_b > p->max_b)
        p->max_b = (size_t)t->crl_max_b;
}

/* What one trust set wants, while it is collected. */
struct wish {
    struct crls *k;
    const struct trust *t;
    uint32_t index;
    struct report *report;
    struct crl **lists;
    size_t n, cap;
    bool wanted; /* it has crl_from_cdp */
    uint32_t urls;
};

static bool add_held(struct wish *w, const struct source *s)
{
    if (w->n + s->held_count > w->cap) {
        size_t cap = 2 * (w->cap + CRLS_HELD_MAX);
        struct crl **more = (struct crl **)realloc(w->lists, cap * sizeof(*more));

        if (!more)
            return false;
        w->lists = more;
        w->cap = cap;
    }
    for (uint32_t i = 0; i < s->held_count; i++)
        w->lists[w->n++] = s->held[i];
    return true;
}

static res want(struct wish *w, const struct cfg_trust *t, const char *url)
{
    struct source *s = source_of(w->k, url);
    bool known;

    w->urls++;

    if (!s && w->k->count == CRLS_SOURCES_MAX) {
        report_add(w->report, REPORT_ERROR, NULL, 0, NULL,
                   "trust '%s': more than %d URLs of revocation lists in all", t->name,
                   CRLS_SOURCES_MAX);
        return ERR(FAIL);
    }
    if (!s && !(s = source_new(w->k, url)))
        return ERR(NOMEM);
    known = s->planned.n && s->planned.v[s->planned.n - 1] == w->index;
    if (!use(&s->planned, w->index))
        return ERR(NOMEM);
    merge_pace(&s->planned_pace, t);
    if (s->fresh && !s->held_count && w->k->cache && !s->file)
        crls_cache_load(s, w->t);
    return known || add_held(w, s) ? OK : ERR(NOMEM);
}

static res want_points(struct wish *w, const struct cfg_trust *t, struct span extension)
{
    struct span urls[POINTS_MAX];
    size_t n = crl_points(extension, urls, POINTS_MAX);

    for (size_t i = 0; i < n; i++) {
        char url[URL_MAX_B + 1];
        const char *why;

        if (urls[i].len > URL_MAX_B || memchr(urls[i].p, 0, urls[i].len))
            continue;
        memcpy(url, urls[i].p, urls[i].len);
        url[urls[i].len] = '\0';
        if (url_scheme(url, &why) == URL_HTTP || url_scheme(url, &why) == URL_HTTPS)
            TRY(want(w, t, url));
    }
    return OK;
}

static res want_all(struct wish *w, const struct cfg_trust *t)
{
    for (uint32_t i = 0; i < t->crl_url.n; i++)
        TRY(want(w, t, t->crl_url.v[i]));
    w->wanted |= t->crl_from_cdp;
    for (uint32_t i = 0; t->crl_from_cdp && i < trust_entry_count(w->t); i++) {
        const struct cert *c = &trust_entry_at(w->t, i)->cert;

        TRY(want_points(w, t, c->crl_dp));
        TRY(want_points(w, t, c->freshest_crl));
    }
    return OK;
}

res crls_equip(struct crls *k, const struct cfg *c, const struct cfg_refs *list, uint32_t index,
               struct report *report, struct trust **t)
{
    struct wish w = {.k = k, .t = *t, .index = index, .report = report};
    struct trust *with = NULL;
    res r = OK;

    for (uint32_t i = 0; i < list->n && IS_OK(r); i++) {
        const struct cfg_trust *set = &c->trust.v[list->v[i]];

        if (set->crl_check != CFG_CRL_NONE)
            r = want_all(&w, set);
    }
    if (IS_OK(r) && w.wanted && !w.urls)
        report_add(report, REPORT_WARN, c->file, 0, "add crl_url = [ ... ], or crl",
                   "trust '%s': crl_from_cdp, but none of its certificates says where a list is",
                   trust_name(*t));
    if (IS_OK(r))
        r = trust_with_lists(*t, w.lists, w.n, &with);
    free(w.lists);
    if (!IS_OK(r))
        return r;
    trust_unref(*t);
    *t = with;
    return OK;
}

/* --- turns --- */

static void tell_expired(struct source *s, int64_t now_s)
{
    if (s->expired_said || crls_next_s(s) >= now_s)
        return;
    s->expired_said = true;
    crls_bump(s, CRLS_EXPIRED);
    elog(s->k->elog, LOG_OPER, "crl.expired", "url", s->url, "last_error",
         s->error[0] ? s->error : "-", NULL);
}

bool crls_turn(struct crls *k, int64_t mono_ms)
{
    int64_t now_s;

    if (mono_ms >= k->look_ms) {
        now_s = crls_wall_s();
        for (struct source *s = k->sources; s; s = s->next) {
            tell_expired(s, now_s);
            if (!s->request && mono_ms >= s->due_ms && k->active < CRLS_ACTIVE_MAX)
                crls_ask(s);
        }
        k->look_ms = mono_ms + LOOK_MS;
    }
    return k->dirty && mono_ms >= k->not_before_ms &&
           (k->active == 0 || mono_ms - k->dirty_ms >= SETTLE_MS);
}

bool crls_waiting(const struct crls *k)
{
    for (const struct source *s = k->sources; s; s = s->next) {
        if (s->held_count == 0 && s->failures == 0)
            return true;
    }
    return false;
}

bool crls_news(const struct crls *k)
{
    return k->dirty;
}

void crls_ask_all(struct crls *k)
{
    for (struct source *s = k->sources; s; s = s->next)
        s->due_ms = 0;
}

void crls_put_off(struct crls *k, int64_t mono_ms)
{
    k->not_before_ms = mono_ms + PUT_OFF_MS;
}

/* --- looking --- */

const uint64_t *crls_counters(const struct crls *k)
{
    return k->ctr;
}

bool crls_look(const struct crls *k, uint32_t index, int64_t mono_ms, struct crls_view *out)
{
    const struct source *s = k->sources;

    while (s && index--)
        s = s->next;
    if (!s)
        return false;
    *out = (struct crls_view){.url = s->url,
                              .error = s->error,
                              .trusts = s->uses.v,
                              .trust_count = s->uses.n,
                              .lists = s->held_count,
                              .next_s = crls_next_s(s),
                              .good_s = s->good_s,
                              .failures = s->failures};
    for (uint32_t i = 0; i < s->held_count; i++) {
        out->serials += crl_count(s->held[i]);
        if (i == 0 || crl_next_s(s->held[i]) == out->next_s)
            out->this_s = crl_this_s(s->held[i]);
    }
    if (!s->request && s->due_ms > mono_ms)
        out->next_try_s = (s->due_ms - mono_ms + 999) / 1000;
    memcpy(out->ctr, s->ctr, sizeof(out->ctr));
    return true;
}
