/**
 * gen: a generation: the snapshot that the cores read together with all that it is made of. Built off the
 * cores from a configuration; parts that are equal to those of the generation before are shared with it.
 */
#ifndef SALLYPORT_CONTROL_GEN_H
#define SALLYPORT_CONTROL_GEN_H

#include "config/cfg.h"
#include "control/crls.h"
#include "control/slots.h"
#include "crypto/identity.h"

struct gen {
    struct snap snap; /* what is published */
    struct cfg *cfg;
    struct arena arena;
    struct tls_profile **profiles; /* references */
    uint32_t profile_count;
    struct identity **identities; /* references; by index in cfg->identities */
    uint32_t identity_count;
    const struct cfg_refs **trust_lists; /* for each of snap.trusts, the list it was made of */
    uint32_t *slots;                     /* references */
    uint32_t slot_count;
    struct gen *next; /* in the list of the retired */
    bool pinned;      /* cores may still read it although it is not the present one */
};

struct staples;

struct gen_input {
    const struct gen *before; /* NULL: none */
    struct slots *slots;
    uint64_t number;
    uint32_t cores;
    int64_t now_s;                   /* since 1970 */
    struct staples *staples;         /* NULL: none are sent */
    const struct ticket_set *pushed; /* go before the file's; NULL: none */
    struct crls *crls; /* between crls_plan and commit or revert; NULL: none fetched */
    /* *cfg is that of `before`: what is read from files is taken from there, and only lists that were fetched since
     * make a difference. */
    bool renew;
    /* Called between pieces of work that take long; may be NULL. */
    void (*breathe)(void *ctx);
    void *ctx;
};

/**
 * Takes    *cfg on success, leaving NULL behind
 * Returns  FAIL: mistakes are in the report, nothing has changed
 * Bound    the time to read all certificates and to make the TLS contexts that are new
 */
MUST_CHECK res gen_build(const struct gen_input *in, struct cfg **cfg, struct report *report,
                         struct gen **out);
void gen_free(struct gen *g, struct slots *slots);

/* The certificates of a configuration that has other mistakes, so that theirs are said, too. */
void gen_check_files(const struct cfg *cfg, int64_t now_s, struct report *report);

static inline struct gen *gen_of(struct snap *s)
{
    return CONTAINER_OF(s, struct gen, snap);
}

#endif
