/* Sources that chains have taught (crypto/crl_learn.h): which set has learnt which URL, and of whose lists. */
#include "control/crls_parts.h"
#include "control/gen.h"
#include "crypto/crl_learn.h"
#include "crypto/sig.h"

#include "base/url.h"

#include <stdio.h>
#include <stdlib.h>

#define GIVES_WAY 3u             /* failures in a row of a URL that never had a list */
#define FORGOTTEN (30 * 86400LL) /* seconds without a good answer */
#define POINTS_MAX \
    (2u * CRLS_POINTS_MAX) /* of one certificate: its lists and their freshest ones */

/* --- the items --- */

static void id_of(const char *trust, const char *url, const struct cert *ca, uint8_t id[32])
{
    uint8_t all[3][32];

    sha256(span_str(trust), all[0]);
    sha256(span_str(url), all[1]);
    sha256(ca->der, all[2]);
    sha256(span_of((const uint8_t *)all, sizeof(all)), id);
}

void crls_learnt_free(struct learnt *l)
{
    free(l->trust);
    free(l->url);
    free(l->path);
    free(l->der);
    free(l);
}

/* The CA and what stands above it, as a copy. */
static bool copy_path(struct learnt *l, const struct cert *path, uint32_t n)
{
    const char *why;
    size_t len = 0;
    uint8_t *at;

    for (uint32_t i = 0; i < n; i++)
        len += path[i].der.len;
    l->n = n;
    l->path = (struct cert *)calloc(n, sizeof(*l->path));
    l->der = at = (uint8_t *)malloc(len);
    for (uint32_t i = 0; l->path && at && i < n; i++) {
        memcpy(at, path[i].der.p, path[i].der.len);
        if (!IS_OK(cert_parse(span_of(at, path[i].der.len), &l->path[i], &why)))
            return false;
        at += path[i].der.len;
    }
    return l->path && at;
}

struct learnt *crls_learnt_add(struct crls *k, const char *trust, const char *url,
                               const struct cert *path, uint32_t n)
{
    struct learnt *l = (struct learnt *)calloc(1, sizeof(*l)), **end = &k->learnt;

    if (!l)
        return NULL;
    l->trust = strdup(trust);
    l->url = strdup(url);
    l->since_s = crls_wall_s();
    if (!l->trust || !l->url || !copy_path(l, path, n)) {
        crls_learnt_free(l);
        return NULL;
    }
    id_of(trust, url, path, l->id);
    while (*end)
        end = &(*end)->next;
    *end = l;
    k->learnt_count++;
    return l;
}

static void unlink_one(struct crls *k, struct learnt **at)
{
    struct learnt *l = *at;

    *at = l->next;
    k->learnt_count--;
    crls_learnt_free(l);
}

static struct learnt *find(const struct crls *k, const uint8_t id[32])
{
    struct learnt *l = k->learnt;

    while (l && memcmp(l->id, id, 32) != 0)
        l = l->next;
    return l;
}

uint32_t crls_learnt_of(const struct crls *k, const char *trust)
{
    uint32_t n = 0;

    for (const struct learnt *l = k->learnt; l; l = l->next)
        n += strcmp(l->trust, trust) == 0;
    return n;
}

/* --- the plan --- */

void crls_learnt_plan(struct crls *k)
{
    for (struct learnt *l = k->learnt; l; l = l->next) {
        l->in_plan = true;
        l->planned = false;
    }
}

void crls_learnt_commit(struct crls *k)
{
    struct learnt **at = &k->learnt;

    k->learnt_news = false;
    while (*at) {
        if ((*at)->in_plan && !(*at)->planned) {
            unlink_one(k, at);
            continue;
        }
        (*at)->used = (*at)->planned;
        k->learnt_news |= !(*at)->in_plan; /* it came while the generation was built */
        at = &(*at)->next;
    }
}

static bool forgotten(const struct learnt *l, const struct source *s)
{
    int64_t last_s = s && s->good_s > l->since_s ? s->good_s : l->since_s;

    return crls_wall_s() - last_s > FORGOTTEN;
}

bool crls_learnt_wanted(struct crls *k, struct learnt *l, const char *trust, const struct trust *t)
{
    const struct source *s;

    if (strcmp(l->trust, trust) != 0)
        return false;
    s = crls_source_of(k, l->url);
    /* The set may be another one by now, and a CA may have been revoked. */
    l->planned = !forgotten(l, s) && (s || k->count < CRLS_SOURCES_MAX) &&
                 crl_path_ok(t, l->path, l->n, crls_wall_s(), k->memo);
    return l->planned;
}

size_t crls_learnt_cas_of(const struct crls *k, const char *trust,
                          const struct cert *cas[CRLS_LEARNT_ALL])
{
    size_t n = 0;

    for (const struct learnt *l = k->learnt; l && n < CRLS_LEARNT_ALL; l = l->next) {
        if (l->planned && strcmp(l->trust, trust) == 0)
            cas[n++] = &l->path[0];
    }
    return n;
}

size_t crls_learnt_cas_at(const struct crls *k, const char *url,
                          const struct cert *cas[CRLS_LEARNT_ALL])
{
    size_t n = 0;

    for (const struct learnt *l = k->learnt; l && n < CRLS_LEARNT_ALL; l = l->next) {
        if ((l->planned || l->used) && strcmp(l->url, url) == 0)
            cas[n++] = &l->path[0];
    }
    return n;
}

const char *crls_learnt_text(const struct crls *k, const char *url, char *out, size_t room)
{
    struct sb s = sb_of(out, room);

    for (const struct learnt *l = k->learnt; l; l = l->next) {
        if (strcmp(l->url, url) == 0) {
            cert_name_text(&s, l->path[0].subject);
            return out;
        }
    }
    return "";
}

/* --- what cores say --- */

static void tell(struct crls *k, enum log_level level, const char *event, const char *url,
                 const struct snap_trust *set, const struct cert *ca)
{
    char name[256], issuer[512];
    struct sb s = sb_of(issuer, sizeof(issuer));

    snprintf(name, sizeof(name), "%.*s", (int)set->name.len, (const char *)set->name.p);
    cert_name_text(&s, ca->subject);
    elog(k->elog, level, event, "url", url, "trust", name, "issuer", issuer, NULL);
}

/* One of this set that never had a list and fails again and again has its place for others. */
static bool make_room(struct crls *k, const char *trust)
{
    if (crls_learnt_of(k, trust) < CRLS_LEARNT_MAX && k->learnt_count < CRLS_LEARNT_ALL)
        return true;
    for (struct learnt **at = &k->learnt; *at; at = &(*at)->next) {
        const struct source *s = crls_source_of(k, (*at)->url);

        if (strcmp((*at)->trust, trust) == 0 && s && !s->held_count && s->failures >= GIVES_WAY) {
            unlink_one(k, at);
            return true;
        }
    }
    return false;
}

static void full(struct crls *k, const char *url, const struct snap_trust *set,
                 const struct cert *ca)
{
    int64_t minute = crls_wall_s() / 60;

    k->ctr[CRLS_LEARN_FULL]++;
    if (k->full_minute == minute)
        return;
    k->full_minute = minute;
    tell(k, LOG_OPER, "crl.learn_full", url, set, ca);
}

/* `path`: from the CA that issued the certificate. */
static void learn(struct crls *k, const struct snap_trust *set, const char *url,
                  const struct cert *path, uint32_t n)
{
    char trust[256];
    uint8_t id[32];

    snprintf(trust, sizeof(trust), "%.*s", (int)set->name.len, (const char *)set->name.p);
    id_of(trust, url, &path[0], id);
    if (find(k, id))
        return;
    if (!make_room(k, trust)) {
        full(k, url, set, &path[0]);
        return;
    }
    if (!crls_learnt_add(k, trust, url, path, n))
        return; /* no memory: it is told again */
    k->ctr[CRLS_LEARNT]++;
    if (!k->learnt_news && !k->dirty)
        k->dirty_ms = crls_mono_ms();
    k->learnt_news = true;
    tell(k, LOG_INFO, "crl.learnt", url, set, &path[0]);
}

static void learn_points(struct crls *k, const struct snap_trust *set, const struct cert *path,
                         uint32_t n)
{
    struct span urls[POINTS_MAX];
    size_t count = crl_points(path[0].crl_dp, urls, CRLS_POINTS_MAX);

    count += crl_points(path[0].freshest_crl, urls + count, CRLS_POINTS_MAX);
    for (size_t i = 0; i < count; i++) {
        char url[URL_MAX_B + 1];

        if (crls_point_url(urls[i], url))
            learn(k, set, url, path + 1, n - 1);
    }
}

static const struct snap_trust *set_by_id(const struct gen *g, const uint8_t id[32])
{
    for (uint32_t i = 0; i < g->snap.trust_count; i++) {
        if (memcmp(trust_id(g->snap.trusts[i].trust), id, 32) == 0)
            return &g->snap.trusts[i];
    }
    return NULL;
}

/* The set as it is now: a core may have judged by the one before. */
static const struct snap_trust *set_of(const struct gen *now, const struct gen *retired,
                                       const uint8_t id[32])
{
    const struct snap_trust *t = set_by_id(now, id);

    for (const struct gen *g = retired; g && !t; g = g->next) {
        const struct snap_trust *old = set_by_id(g, id);

        for (uint32_t i = 0; old && !t && i < now->snap.trust_count; i++) {
            if (now->snap.trusts[i].key == old->key)
                t = &now->snap.trusts[i];
        }
    }
    return t;
}

bool crls_record(struct crls *k, struct span record, const struct gen *now,
                 const struct gen *retired)
{
    struct span der[VERDICT_PATH_MAX];
    struct cert path[VERDICT_PATH_MAX];
    const struct snap_trust *set;
    uint8_t id[32];
    const char *why;
    uint32_t n;

    if (!crl_rec_read(record, id, der, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!IS_OK(cert_parse(der[i], &path[i], &why)))
            return false;
    }
    set = set_of(now, retired, id);
    if (set && trust_learns(set->trust) && crl_path_ok(set->trust, path, n, crls_wall_s(), k->memo))
        learn_points(k, set, path, n);
    return true;
}
