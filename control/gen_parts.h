/**
 * gen_parts: the steps of gen_build. Inside of it only.
 */
#ifndef SALLYPORT_CONTROL_GEN_PARTS_H
#define SALLYPORT_CONTROL_GEN_PARTS_H

#include "control/gen.h"
#include "control/hix.h"

struct build {
    const struct gen_input *in;
    struct gen *g;
    struct cfg *cfg;
    struct report *report;
    struct hix old_trusts; /* of in->before, by trust_id */
    struct hix lists;      /* of trust sets: by their indices, to g->snap.trusts */
    uint32_t trust_cap;
    struct hix old_profiles, profiles; /* by tls_profile_hash */
    uint32_t profile_cap;
};

static inline void breathe(const struct build *b)
{
    if (b->in->breathe)
        b->in->breathe(b->in->ctx);
}

/* The first 8 bytes of what is a hash already. */
static inline uint64_t hash_head(const uint8_t *hash)
{
    uint64_t h;

    memcpy(&h, hash, sizeof(h));
    return h;
}

/* What a configuration names only then has to be known. */
static inline void build_wants(struct build *b, const struct view *v)
{
    b->g->snap.ja4 |= v->what == VIEW_JA4;
}

/* gen_keys.c: certificates and TLS contexts. */
/* A list of trust sets of the configuration as one. */
MUST_CHECK res gen_load_trust(const struct cfg *c, const struct cfg_refs *list, const char *name,
                              struct report *report, struct trust **out);
MUST_CHECK res build_identities(struct build *b);
/* Instead of that, from the generation before: its identities and TLS contexts. */
MUST_CHECK res renew_keys(struct build *b);
MUST_CHECK res build_trust(struct build *b, const struct cfg_refs *list, uint32_t *index);
MUST_CHECK res build_unused_trusts(struct build *b);
MUST_CHECK res build_profile(struct build *b, const struct tls_settings *s,
                             const struct cfg_node *at, struct tls_profile **out);

/* gen_hosts.c, gen_upstreams.c: the tables of the snapshot. */
MUST_CHECK res build_hosts(struct build *b);
MUST_CHECK res build_upstreams(struct build *b);

#endif
