/**
 * What a verdict costs, in cycles of the time stamp counter, medians:
 *
 *     bench-verdict CHAIN.crt ANCHOR.crt [ROUNDS]
 *
 * chain known to the core, chain new to the core with its signatures remembered, all signatures checked, and
 * the signature checks alone; and revocation lists of 10 and of 1,000,000 serial numbers: the look into one by itself, and
 * the question as a verdict asks it, whether the list is the issuer's included.
 */
#include "base/bytes.h"
#include "crypto/crl.h"
#include "crypto/peer.h"
#include "crypto/pem.h"
#include "crypto/sig.h"
#include "crypto/wolf.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define ROUNDS     2000u
#define ROUNDS_MAX 100000u
#define SERIAL_B   16u
#define CRL_LOOKS  16u /* in one measurement: one look is too short */

static uint64_t took[ROUNDS_MAX];

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void say(const char *what, uint32_t rounds, uint64_t per)
{
    qsort(took, rounds, sizeof(took[0]), by_value);
    printf("%-58s %10llu cycles (p99 %llu)\n", what, (unsigned long long)(took[rounds / 2] / per),
           (unsigned long long)(took[rounds - rounds / 100 - 1] / per));
}

static void die(const char *what, const struct report *r)
{
    fprintf(stderr, "bench-verdict: %s\n", what);
    for (uint32_t i = 0; r && i < r->count; i++) {
        char line[512];

        report_line(&r->entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    exit(1);
}

/* --- chains --- */

struct chain {
    struct arena arena;
    struct span der[CERT_CHAIN_MAX];
    struct cert cert[CERT_CHAIN_MAX];
    uint32_t n;
};

static void read_chain(const char *file, struct report *r, struct chain *c)
{
    struct pem_block *blocks;
    const char *why;
    size_t n;

    arena_init(&c->arena);
    if (!IS_OK(pem_load(&c->arena, file, r, &blocks, &n)) || n == 0 || n > CERT_CHAIN_MAX)
        die("cannot read the chain", r);
    for (size_t i = 0; i < n; i++) {
        c->der[i] = blocks[i].der;
        if (!IS_OK(cert_parse(blocks[i].der, &c->cert[i], &why)))
            die(why, NULL);
    }
    c->n = (uint32_t)n;
}

static void bench_known(const struct chain *c, const struct trust *t, struct memo *memo,
                        int64_t now_s, uint32_t rounds)
{
    struct peers *peers;
    struct verdict v;

    if (!IS_OK(peers_new(64, 1u << 20, memo, &peers)))
        die("out of memory", NULL);
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t begin = __rdtsc();
        struct peer *p = peer_get(peers, c->der, c->n);

        peer_verdict(peers, p, t, VERDICT_FOR_CLIENT, now_s, &v);
        took[i] = __rdtsc() - begin;
        peer_put(peers, p);
    }
    say("chain known to this core (found and verdict kept)", rounds, 1);
    peers_free(peers);
}

static void bench_judge(const char *what, const struct chain *c, const struct trust *t,
                        struct memo *memo, int64_t now_s, uint32_t rounds)
{
    const struct verdict_input in = {.chain = c->cert,
                                     .chain_len = c->n,
                                     .trust = t,
                                     .now_s = now_s,
                                     .purpose = VERDICT_FOR_CLIENT,
                                     .max_depth = -1,
                                     .memo = memo};
    struct verdict v;

    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t begin = __rdtsc();

        verdict_judge(&in, &v);
        took[i] = __rdtsc() - begin;
        if (v.code != VERDICT_OK)
            die(verdict_text(v.code), NULL);
    }
    say(what, rounds, 1);
}

/* Leaf by the next, and so on, the last by an anchor: what a verdict cannot do without the first time. */
static void bench_signatures(const struct chain *c, const struct trust *t, uint32_t rounds)
{
    uint32_t it = 0;
    const struct trust_entry *anchor = trust_by_subject(t, c->cert[c->n - 1].issuer, &it);

    if (!anchor)
        die("the last of the chain is not signed by the anchor", NULL);
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t begin = __rdtsc();

        for (uint32_t k = 0; k < c->n; k++) {
            const struct cert *signer = k + 1 < c->n ? &c->cert[k + 1] : &anchor->cert;

            if (sig_check_cert(signer, &c->cert[k], NULL) != SIG_VALID)
                die("a signature of the chain is not valid", NULL);
        }
        took[i] = __rdtsc() - begin;
    }
    say("its signature checks alone", rounds, 1);
}

/* --- lists --- */

static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void random_serial(uint8_t out[SERIAL_B])
{
    for (size_t i = 0; i < SERIAL_B; i += 8) {
        uint64_t v = next_random();

        memcpy(out + i, &v, 8);
    }
    out[0] = (uint8_t)((out[0] & 0x3f) | 0x40);
}

/* Tag and length, in its shortest form. */
static uint8_t *put_head(uint8_t *p, uint8_t tag, size_t len)
{
    *p++ = tag;
    if (len < 128) {
        *p++ = (uint8_t)len;
    } else {
        unsigned n = len > 0xffffff ? 4 : len > 0xffff ? 3 : len > 0xff ? 2 : 1;

        *p++ = (uint8_t)(0x80 | n);
        while (n--)
            *p++ = (uint8_t)(len >> (8 * n));
    }
    return p;
}

static size_t head_b(size_t len)
{
    uint8_t room[8];

    return (size_t)(put_head(room, 0, len) - room);
}

/* A list by `issuer` of random serials; its signature is not looked at here. */
static struct crl *make_list(const struct cert *issuer, uint32_t count)
{
    static const uint8_t alg[] = {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
    static const char times[] = "\x17\x0d"
                                "260101000000Z"
                                "\x17\x0d"
                                "491231235959Z";
    size_t entry = 2 + (2 + SERIAL_B) + 15, list = count * entry;
    size_t tbs = 3 + sizeof(alg) + issuer->subject.len + sizeof(times) - 1 + head_b(list) + list;
    size_t all = head_b(tbs) + tbs + sizeof(alg) + 4;
    uint8_t *der = (uint8_t *)malloc(head_b(all) + all), *p;
    struct crl_view v;
    struct crl *c;
    const char *why;

    if (!der)
        die("out of memory", NULL);
    p = put_head(put_head(der, 0x30, all), 0x30, tbs);
    memcpy(p, "\x02\x01\x01", 3);
    memcpy(p + 3, alg, sizeof(alg));
    p += 3 + sizeof(alg);
    memcpy(p, issuer->subject.p, issuer->subject.len);
    p += issuer->subject.len;
    memcpy(p, times, sizeof(times) - 1);
    p = put_head(p + sizeof(times) - 1, 0x30, list);
    for (uint32_t i = 0; i < count; i++) {
        p = put_head(put_head(p, 0x30, entry - 2), 2, SERIAL_B);
        random_serial(p);
        memcpy(p + SERIAL_B, times, 15);
        p += SERIAL_B + 15;
    }
    memcpy(p, alg, sizeof(alg));
    memcpy(p + sizeof(alg), "\x03\x02\x00\x01", 4);
    if (!IS_OK(crl_parse(span_of(der, head_b(all) + all), &v, &why)))
        die(why, NULL);
    if (!IS_OK(crl_new(&v, issuer, &c)))
        die("out of memory", NULL);
    free(der);
    return c;
}

static void bench_looks(const struct crl *c, const struct cert *issuer, const struct cert *leaf,
                        int64_t now_s, uint32_t rounds)
{
    uint8_t serials[CRL_LOOKS][SERIAL_B];
    struct cert asked = *leaf;
    char what[96];

    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t begin;

        for (uint32_t k = 0; k < CRL_LOOKS; k++)
            random_serial(serials[k]);
        begin = __rdtsc();
        for (uint32_t k = 0; k < CRL_LOOKS; k++) {
            asked.serial = span_of(serials[k], SERIAL_B);
            if (issuer && !crl_covers(c, issuer, &asked))
                die("the list is not the issuer's", NULL);
            if (crl_ask(c, NULL, &asked, now_s) != CRL_GOOD)
                die("a serial that is not on the list was found on it", NULL);
        }
        took[i] = __rdtsc() - begin;
    }
    snprintf(what, sizeof(what), "%s a list of %u serials (%.2f bytes each)",
             issuer ? "a question to" : "a look into", crl_count(c),
             (double)crl_bytes(c) / crl_count(c));
    say(what, rounds, CRL_LOOKS);
}

static void bench_list(const struct cert *issuer, const struct cert *leaf, uint32_t count,
                       int64_t now_s, uint32_t rounds)
{
    struct crl *c = make_list(issuer, count);

    bench_looks(c, NULL, leaf, now_s, rounds);
    bench_looks(c, issuer, leaf, now_s, rounds);
    crl_unref(c);
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : ROUNDS;
    const char *anchors[] = {argc > 2 ? argv[2] : ""};
    struct trust_source src = {.name = "bench", .anchor_files = anchors, .anchor_count = 1};
    struct report *r = report_new();
    struct trust *t;
    struct memo *memo = NULL;
    struct chain c;
    int64_t now_s = time(NULL);

    if (argc < 3 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench-verdict CHAIN.crt ANCHOR.crt [ROUNDS, at most 100000]\n");
        return 2;
    }
    if (!r || !IS_OK(wolf_init()) || !IS_OK(memo_new(1024, &memo)))
        die("no memory, or another wolfSSL", NULL);
    read_chain(argv[1], r, &c);
    if (!IS_OK(trust_load(&src, r, &t)))
        die("cannot read the anchor", r);
    bench_known(&c, t, memo, now_s, rounds);
    bench_judge("chain new, its signatures remembered", &c, t, memo, now_s, rounds);
    bench_judge("chain new, all signatures checked", &c, t, NULL, now_s, rounds);
    bench_signatures(&c, t, rounds);
    bench_list(&c.cert[1 % c.n], &c.cert[0], 10, now_s, rounds);
    bench_list(&c.cert[1 % c.n], &c.cert[0], 1000000, now_s, rounds);
    trust_unref(t);
    memo_free(memo);
    arena_fini(&c.arena);
    report_free(r);
    return 0;
}
