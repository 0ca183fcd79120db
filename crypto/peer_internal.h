/* Shared by peer.c, peer_verdict.c, peer_text.c and peer_pack.c only. */
#ifndef SALLYPORT_CRYPTO_PEER_INTERNAL_H
#define SALLYPORT_CRYPTO_PEER_INTERNAL_H

#include "crypto/peer.h"

#define PEER_CACHED 4u /* verdicts kept per chain */

struct cached {
    uint64_t trust_id;       /* first bytes of it */
    int64_t from_s, until_s; /* when it is good for */
    uint64_t ocsp;           /* the table's version, or what of it counts */
    uint8_t purpose;
    bool used;
    struct verdict v;
};

/* A view's value. */
struct text {
    struct text *next;
    uint64_t key;
    uint32_t len;
    bool there;
    char p[]; /* ends in NUL */
};

struct peer {
    uint8_t id[32];
    uint32_t refs;
    uint32_t hash_next, lru_next, lru_prev; /* index + 1 */
    uint32_t n;         /* certificates that could be read: 0 when the leaf could not */
    bool offered;       /* to other cores, or by one */
    bool whole;         /* all certificates of the chain could be read */
    int64_t asked_s;    /* OCSP: when last */
    int64_t teach_s;    /* lists: looked at again from then on */
    uint32_t turn;      /* which cached verdict gives way next */
    struct cert *certs; /* with the DER in one piece of memory: `mem` */
    void *mem;
    struct text *texts; /* made when first asked for */
    uint32_t texts_b;
    struct cached cached[PEER_CACHED];
};

struct peers {
    struct peer *entries;
    uint32_t cap, touched, free_head; /* index + 1 */
    uint32_t *heads, mask;
    uint32_t lru_head, lru_tail; /* unused ones, oldest first */
    struct heap *heap;
    struct memo *memo;
    struct peers_stats st;
    struct ocsp_table *ocsp; /* NULL: none */
    peers_ask_fn ask;
    void *ask_ctx;
    struct crl_told told;
    peers_teach_fn teach; /* NULL: nobody learns */
    void *teach_ctx;
    char scratch[CERT_VIEW_MAX_B]; /* a view's value in the making */
};

#endif
