/**
 * crls_parts: a source of lists, and what happens to it. Inside of crls only.
 */
#ifndef SALLYPORT_CONTROL_CRLS_PARTS_H
#define SALLYPORT_CONTROL_CRLS_PARTS_H

#include "control/crls.h"

/* How often, how long, how much. Where several trust sets name the URL: the soonest, the longest, the most. */
struct pace {
    uint64_t refresh_ms; /* 0: by nextUpdate */
    uint32_t timeout_ms;
    size_t max_b;
};

struct uses {
    uint32_t *v; /* trust sets of the snapshot */
    uint32_t n, cap;
};

struct source {
    struct source *next;
    struct crls *k;
    char *url;
    bool file, fresh; /* fresh: made by the plan that is not committed yet */
    struct uses uses, planned;
    struct pace pace, planned_pace;
    struct crl *held[CRLS_HELD_MAX]; /* references */
    uint32_t held_count;
    char etag[FETCH_TAG_MAX_B + 1], changed[FETCH_TAG_MAX_B + 1]; /* of the answer that is held */
    uint64_t request;                                             /* 0: none is under way */
    int64_t due_ms;                                               /* CLOCK_MONOTONIC */
    int64_t good_s;
    int64_t max_age_s; /* as the server said; -1: it did not */
    uint32_t failures; /* in a row */
    bool expired_said;
    char error[512];
    uint64_t ctr[CRLS_CTR_COUNT];
};

/* What a chain has taught: the set's lists of path[0], a CA, are at this URL. */
struct learnt {
    struct learnt *next;
    char *trust, *url;
    uint8_t id[32]; /* of these and the CA */
    int64_t since_s;
    bool in_plan, planned; /* it was there when the plan began; the plan wants it */
    bool used;             /* by the generation in force */
    bool saved;
    uint32_t n;
    struct cert *path; /* from the CA to the anchor, in `der` */
    uint8_t *der;
};

struct crls {
    struct fetch *fetch;
    struct elog *elog;
    char *cache;
    struct source *sources;
    uint32_t count, active;
    const struct snap *now; /* committed */
    bool dirty;             /* something is held that the snapshot does not have */
    int64_t dirty_ms, look_ms, not_before_ms;
    struct learnt *learnt;
    uint32_t learnt_count;
    bool learnt_news; /* some of them are no sources yet */
    bool swept;       /* the cache, once */
    int64_t full_minute;
    struct memo *memo; /* may be NULL */
    char learnt_text[512];
    uint64_t ctr[CRLS_CTR_COUNT];
};

#define CRLS_POINTS_MAX 8 /* distribution points of one certificate */

int64_t crls_wall_s(void);
struct source *crls_source_of(const struct crls *k, const char *url);
/* A distribution point as a URL that may be fetched. `out`: URL_MAX_B + 1. */
bool crls_point_url(struct span point, char *out);
void crls_bump(struct source *s, enum crls_ctr what);
/* The first nextUpdate of what is held; INT64_MAX: none. */
int64_t crls_next_s(const struct source *s);

/* crls_take.c: ask, and what becomes of the answer. */
void crls_ask(struct source *s);
/* What is in `text`, into what is held. False: `why` says what is wrong with it, nothing has changed. */
bool crls_take(struct source *s, const struct trust *const *sets, size_t count, struct span text,
               bool *news, struct sb *why);

/* crls_learn.c. `path`: certificates from the CA up. */
struct learnt *crls_learnt_add(struct crls *k, const char *trust, const char *url,
                               const struct cert *path, uint32_t n);
void crls_learnt_free(struct learnt *l);
uint32_t crls_learnt_of(const struct crls *k, const char *trust);
void crls_learnt_plan(struct crls *k);
void crls_learnt_commit(struct crls *k);
/* Does the set `trust`, which is `t` in the plan, still want it? */
bool crls_learnt_wanted(struct crls *k, struct learnt *l, const char *trust, const struct trust *t);
/* CAs: those of the set in the plan; those whose lists are at this URL. */
size_t crls_learnt_cas_of(const struct crls *k, const char *trust,
                          const struct cert *cas[CRLS_LEARNT_ALL]);
size_t crls_learnt_cas_at(const struct crls *k, const char *url,
                          const struct cert *cas[CRLS_LEARNT_ALL]);
const char *crls_learnt_text(const struct crls *k, const char *url, char *out, size_t room);

/* crls_time.c: when to ask next. `dice` is random. */
int64_t crls_delay_ms(const struct pace *p, int64_t left_s, int64_t max_age_s, uint32_t dice);
int64_t crls_backoff_ms(const struct pace *p, uint32_t failures, uint32_t dice);

/* crls_cache.c */
void crls_cache_load(struct source *s, const struct trust *t);
/* What was learnt before, not judged yet. */
void crls_cache_learnt(struct crls *k);
/* Files of ours that no source has any more. */
void crls_cache_sweep(struct crls *k);
void crls_cache_save(const struct source *s, struct span text);

#endif
