#include "control/crls_parts.h"

#include "base/url.h"
#include "crypto/memo.h"

#include <stdlib.h>
#include <time.h>

#define LOOK_MS    100  /* between two looks at all sources */
#define SETTLE_MS  500  /* lists that come together make one generation */
#define PUT_OFF_MS 5000 /* after one that could not be made */
#define MEMO       1024 /* signatures of chains that were learnt from */

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
    if ((cache && !k->cache) || !IS_OK(memo_new(MEMO, &k->memo))) {
        crls_free(k);
        return ERR(NOMEM);
    }
    if (k->cache)
        crls_cache_learnt(k);
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
    while (k->learnt) {
        struct learnt *l = k->learnt;

        k->learnt = l->next;
        crls_learnt_free(l);
    }
    if (k->memo)
        memo_free(k->memo);
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

struct source *crls_source_of(const struct crls *k, const char *url)
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
    crls_learnt_plan(k);
}

/* Those that the plan does not name, or those that only it did. */
static bool drop(struct crls *k, bool fresh)
{
    struct source **at = &k->sources;
    uint32_t before = k->count;

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
    return k->count != before;
}

void crls_revert(struct crls *k)
{
    (void)drop(k, true);
}

void crls_commit(struct crls *k, const struct snap *now)
{
    bool sweep = drop(k, false) || !k->swept;

    crls_learnt_commit(k);
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
    k->swept = true;
    if (sweep && k->cache)
        crls_cache_sweep(k);
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
    const struct crls_set *set;
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
    struct source *s = crls_source_of(w->k, url);
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
    known = s->planned.n && s->planned.v[s->planned.n - 1] == w->set->index;
    if (!use(&s->planned, w->set->index))
        return ERR(NOMEM);
    merge_pace(&s->planned_pace, t);
    if (s->fresh && !s->held_count && w->k->cache && !s->file)
        crls_cache_load(s, w->t);
    return known || add_held(w, s) ? OK : ERR(NOMEM);
}

bool crls_point_url(struct span point, char *out)
{
    const char *why;
    enum url_scheme scheme;

    if (point.len > URL_MAX_B || memchr(point.p, 0, point.len))
        return false;
    memcpy(out, point.p, point.len);
    out[point.len] = '\0';
    scheme = url_scheme(out, &why);
    return scheme == URL_HTTP || scheme == URL_HTTPS;
}

static res want_points(struct wish *w, const struct cfg_trust *t, struct span extension)
{
    struct span urls[CRLS_POINTS_MAX];
    size_t n = crl_points(extension, urls, CRLS_POINTS_MAX);

    for (size_t i = 0; i < n; i++) {
        char url[URL_MAX_B + 1];

        if (crls_point_url(urls[i], url))
            TRY(want(w, t, url));
    }
    return OK;
}

static res want_all(struct wish *w, const struct cfg_trust *t)
{
    for (uint32_t i = 0; i < t->crl_url.n; i++)
        TRY(want(w, t, t->crl_url.v[i]));
    w->wanted |= t->crl_from_cdp && !t->crl_learn;
    for (uint32_t i = 0; t->crl_from_cdp && i < trust_entry_count(w->t); i++) {
        const struct cert *c = &trust_entry_at(w->t, i)->cert;

        TRY(want_points(w, t, c->crl_dp));
        TRY(want_points(w, t, c->freshest_crl));
    }
    for (struct learnt *l = t->crl_learn ? w->k->learnt : NULL; l; l = l->next) {
        if (crls_learnt_wanted(w->k, l, w->set->name, w->t))
            TRY(want(w, t, l->url));
    }
    return OK;
}

static res with_lists(const struct wish *w, struct trust **t)
{
    const struct cert *cas[CRLS_LEARNT_ALL];
    size_t n = crls_learnt_cas_of(w->k, w->set->name, cas);
    struct trust *with = NULL;

    TRY(trust_with_lists(*t, w->lists, w->n, cas, n, &with));
    trust_unref(*t);
    *t = with;
    return OK;
}

res crls_equip(struct crls *k, const struct crls_set *set, struct report *report, struct trust **t)
{
    struct wish w = {.k = k, .t = *t, .set = set, .report = report};
    const struct cfg *c = set->cfg;
    res r = OK;

    for (uint32_t i = 0; i < set->list->n && IS_OK(r); i++) {
        const struct cfg_trust *one = &c->trust.v[set->list->v[i]];

        if (one->crl_check != CFG_CRL_NONE)
            r = want_all(&w, one);
    }
    if (IS_OK(r) && w.wanted && !w.urls)
        report_add(report, REPORT_WARN, c->file, 0, "add crl_url = [ ... ], or crl",
                   "trust '%s': crl_from_cdp, but none of its certificates says where a list is",
                   trust_name(*t));
    if (IS_OK(r))
        r = with_lists(&w, t);
    free(w.lists);
    return r;
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
    return (k->dirty || k->learnt_news) && mono_ms >= k->not_before_ms &&
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

bool crls_look(struct crls *k, uint32_t index, int64_t mono_ms, struct crls_view *out)
{
    const struct source *s = k->sources;

    while (s && index--)
        s = s->next;
    if (!s)
        return false;
    *out = (struct crls_view){
        .url = s->url,
        .error = s->error,
        .learnt = crls_learnt_text(k, s->url, k->learnt_text, sizeof(k->learnt_text)),
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
