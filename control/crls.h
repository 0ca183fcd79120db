/**
 * crls: revocation lists by URL: fetched, judged, held until a newer one comes, and handed to the generation
 * that is built. One source for each URL, whatever the number of trust sets that name it.
 *
 * A generation is built between crls_plan and either crls_commit or crls_revert; what no trust set of it names is
 * forgotten with the commit. In between crls_turn asks where it is time to.
 *
 * Last good: a list that is held gives way only to one of the same signer, distribution point and sort that is not
 * older by number or thisUpdate. A list of another signer is held beside it: nobody makes a list go away by
 * answering with somebody else's.
 *
 * A trust set with crl_learn has sources besides that chains have taught it. They stay as long as the set is there,
 * learns, and would still trust the CA; the CA, in the set or not, may sign what they have. Those that had a list
 * are in the cache with it, so that a restart has them. Forgotten is who has had no good answer for 30 days, and, when
 * the set has no room for another one, who never had any.
 */
#ifndef SALLYPORT_CONTROL_CRLS_H
#define SALLYPORT_CONTROL_CRLS_H

#include "base/ctr.h"
#include "config/cfg.h"
#include "control/elog.h"
#include "control/fetch.h"
#include "crypto/trust.h"
#include "snap/snap.h"

#define CRLS_SOURCES_MAX 4096
#define CRLS_HELD_MAX    8  /* lists from one URL */
#define CRLS_ACTIVE_MAX  8  /* requests at once */
#define CRLS_LEARNT_MAX  64 /* URLs that certificates have taught one trust set */
#define CRLS_LEARNT_ALL  1024

enum crls_ctr {
#define CTR(sym, name, help) CRLS_##sym,
#include "control/crls.def"
#undef CTR
    CRLS_CTR_COUNT,
};

extern const struct ctr_desc crls_ctrs[CRLS_CTR_COUNT];

struct crls;
struct gen;

/* `cache`: a folder for the last good ones, or NULL. */
MUST_CHECK res crls_new(struct fetch *fetch, struct elog *elog, const char *cache,
                        struct crls **out);
void crls_free(struct crls *k); /* before its fetch */

void crls_plan(struct crls *k);
/* A trust set of the generation that is being built: made of `list`, called `name`. */
struct crls_set {
    const struct cfg *cfg;
    const struct cfg_refs *list;
    const char *name;
    uint32_t index; /* into the snapshot's */
};

/* It wants what its URLs have: *t is replaced by the same set with the lists that are held. */
MUST_CHECK res crls_equip(struct crls *k, const struct crls_set *set, struct report *report,
                          struct trust **t);
void crls_commit(struct crls *k, const struct snap *now);
void crls_revert(struct crls *k);

/* True: there is something that a generation should be built for. */
bool crls_turn(struct crls *k, int64_t mono_ms);
/* Is there a source that has neither a list nor an answer that says why not? */
bool crls_waiting(const struct crls *k);
/* Is something held that a generation should be built for? */
bool crls_news(const struct crls *k);
/* Whatever was planned: ask now. */
void crls_ask_all(struct crls *k);
/* It could not be built: try again later. */
void crls_put_off(struct crls *k, int64_t mono_ms);

/**
 * What a core says of lists that nobody has (crypto/crl_learn.h), judged by a generation in force or before. URLs that
 * are new are sources of that set from the next generation on, which crls_turn asks for.
 * Returns  false: the record is not whole
 */
bool crls_record(struct crls *k, struct span record, const struct gen *now,
                 const struct gen *retired);

int64_t crls_mono_ms(void);

const uint64_t *crls_counters(const struct crls *k);

/* One source, for people. Texts are borrowed until the next call of anything here. */
struct crls_view {
    const char *url, *error; /* error: of the last attempt; "": it was good */
    const char *learnt;      /* the CA from whose certificates it was learnt; "": it was not */
    const uint32_t *trusts;  /* indices into the snapshot's */
    uint32_t trust_count;
    uint32_t lists;
    uint64_t serials;
    int64_t this_s, next_s; /* of the list that ends first; next_s INT64_MAX: none says */
    int64_t good_s;         /* when an answer was good; 0: never */
    int64_t next_try_s;     /* from now; 0: it is under way */
    uint32_t failures;      /* in a row */
    uint64_t ctr[CRLS_CTR_COUNT];
};

/* False: there is no such source. */
bool crls_look(struct crls *k, uint32_t index, int64_t mono_ms, struct crls_view *out);

#endif
