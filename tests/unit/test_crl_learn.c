#include "crypto/crl_learn.c" /* white box */

#include "crypto/peer.h"
#include "lib/learn_pki.h"
#include "lib/t.h"
#include "lib/tmp.h"

struct fix {
    struct cert leaf, mid, root;
    struct report *report;
    struct trust *t, *other;
};

static struct cert read_cert(struct span der)
{
    struct cert c;
    const char *why;

    T_NEED(IS_OK(cert_parse(der, &c, &why)));
    return c;
}

static void begin(struct fix *f)
{
    struct span root = LEARN_DER(root), mid = LEARN_DER(mid);

    f->leaf = read_cert(LEARN_DER(leaf));
    f->mid = read_cert(LEARN_DER(mid));
    f->root = read_cert(LEARN_DER(root));
    f->report = report_new();
    T_NEED(IS_OK(trust_from_der("r", &root, 1, NULL, 0, false, f->report, &f->t)));
    T_NEED(IS_OK(trust_from_der("m", &mid, 1, NULL, 0, false, f->report, &f->other)));
}

static void end(struct fix *f)
{
    trust_unref(f->t);
    trust_unref(f->other);
    report_free(f->report);
}

static void each_is_told_once_in_a_while(void)
{
    struct crl_told t = {.key = {1, 2}};
    uint64_t leaf, mid, other;
    struct fix f;

    begin(&f);
    T_OK(crl_told_due(&t, f.t, &f.leaf, &f.mid, 100, &leaf));
    T_OK(crl_told_due(&t, f.t, &f.leaf, &f.mid, 100, &leaf)); /* looking is not telling */
    crl_told_note(&t, leaf, 100);
    T_OK(!crl_told_due(&t, f.t, &f.leaf, &f.mid, 100, &leaf));
    T_OK(!crl_told_due(&t, f.t, &f.leaf, &f.mid, 100 + CRL_TOLD_S - 1, &leaf));
    T_OK(crl_told_due(&t, f.t, &f.leaf, &f.mid, 100 + CRL_TOLD_S, &leaf));
    T_OK(crl_told_due(&t, f.t, &f.mid, &f.root, 100, &mid));       /* another certificate */
    T_OK(crl_told_due(&t, f.other, &f.leaf, &f.mid, 100, &other)); /* for another set */
    T_OK(leaf != mid && leaf != other);
    end(&f);
}

static void so_many_in_a_second(void)
{
    struct crl_told t = {.key = {1, 2}};

    for (uint64_t i = 0; i < CRL_TOLD_PER_S; i++) {
        T_OK(crl_told_room(&t, 100));
        crl_told_note(&t, i, 100);
    }
    T_OK(!crl_told_room(&t, 100));
    T_OK(crl_told_room(&t, 101));
    crl_told_note(&t, 1, 101);
    T_EQ(t.in_second, 1);
}

static void a_path_on_its_way(void)
{
    struct fix f;
    const struct cert *path[] = {&f.leaf, &f.mid, &f.root};
    union {
        struct crl_rec rec;
        uint8_t bytes[4096];
    } u;
    struct span der[VERDICT_PATH_MAX], all;
    uint8_t id[32];
    uint32_t n;

    begin(&f);
    all = span_of(u.bytes, crl_rec_b(path, 3));
    T_NEED(all.len <= sizeof(u));
    crl_rec_put(&u.rec, trust_id(f.t), path, 3);
    T_NEED(crl_rec_read(all, id, der, &n));
    T_EQ(n, 3);
    T_OK(memcmp(id, trust_id(f.t), 32) == 0);
    T_OK(span_eq(der[0], f.leaf.der) && span_eq(der[1], f.mid.der) && span_eq(der[2], f.root.der));
    for (size_t len = 0; len < all.len; len++)
        T_OK(!crl_rec_read(span_first(all, len), id, der, &n));
    u.rec.n = 1; /* nobody above it */
    T_OK(!crl_rec_read(all, id, der, &n));
    u.rec.n = VERDICT_PATH_MAX + 1;
    T_OK(!crl_rec_read(all, id, der, &n));
    u.rec.n = 3;
    u.rec.der_b[1] = UINT32_MAX;
    T_OK(!crl_rec_read(all, id, der, &n));
    u.rec.der_b[1] = 0;
    T_OK(!crl_rec_read(all, id, der, &n));
    end(&f);
}

static void who_may_teach(void)
{
    struct fix f;
    struct cert path[3], forged;
    uint8_t changed[sizeof(learn_mid)];

    begin(&f);
    path[0] = f.leaf, path[1] = f.mid, path[2] = f.root;
    T_OK(crl_path_ok(f.t, path, 3, LEARN_NOW, NULL));
    T_OK(crl_path_ok(f.t, path, 2, LEARN_NOW, NULL)); /* the root is in the set */
    T_OK(crl_path_ok(f.t, path + 1, 2, LEARN_NOW, NULL));
    T_OK(crl_path_ok(f.t, path + 2, 1, LEARN_NOW, NULL));
    T_OK(!crl_path_ok(f.t, path, 1, LEARN_NOW, NULL));
    T_OK(!crl_path_ok(f.other, path, 3, LEARN_NOW, NULL)); /* M alone ends no path there */
    T_OK(!crl_path_ok(f.t, path, 3, LEARN_NOW - 86400 * 365, NULL));
    memcpy(changed, learn_mid, sizeof(changed));
    changed[sizeof(changed) - 1] ^= 1;
    forged = read_cert(span_of(changed, sizeof(changed)));
    path[1] = forged;
    T_OK(!crl_path_ok(f.t, path, 3, LEARN_NOW, NULL));
    end(&f);
}

/* --- through a core's table --- */

struct class
{
    uint32_t told, refuse;
    const struct cert *first;
    uint32_t n;
};

static bool taught(void *ctx, const struct trust *trust, const struct cert *const *path, uint32_t n)
{
    struct class *c = (struct class *)ctx;

    (void)trust;
    if (c->refuse)
        return false;
    c->told++;
    c->first = path[0];
    c->n = n;
    return true;
}

static struct trust *learning(struct fix *f, bool learn, enum crl_check check, bool missing_ok)
{
    struct tmp tmp;
    struct trust *t = NULL;
    const char *file;
    FILE *out;

    tmp_begin(&tmp);
    file = tmp_path(&tmp, "root.der");
    out = fopen(file, "wb");
    T_NEED(out && fwrite(learn_root, 1, sizeof(learn_root), out) == sizeof(learn_root) &&
           fclose(out) == 0);
    T_NEED(IS_OK(trust_load(
        &(struct trust_source){
            .name = "r",
            .anchor_files = &file,
            .anchor_count = 1,
            .crl_later = true,
            .crl_rules = {.check = check, .missing_ok = missing_ok, .learn = learn}},
        f->report, &t)));
    T_EQ(trust_learns(t), learn);
    tmp_end(&tmp);
    return t;
}

static void a_table_tells_what_is_missing(void)
{
    struct span chain[] = {LEARN_DER(leaf), LEARN_DER(mid)};
    struct class c = {0};
    struct trust *no, *yes, *leaf;
    struct peers *p;
    struct peer *peer;
    struct memo *memo;
    struct verdict v;
    struct fix f;

    begin(&f);
    no = learning(&f, false, CRL_CHECK_CHAIN, false);
    yes = learning(&f, true, CRL_CHECK_CHAIN, false);
    leaf = learning(&f, true, CRL_CHECK_LEAF, true);
    T_OK(memcmp(trust_id(no), trust_id(yes), 32) != 0);
    T_NEED(IS_OK(memo_new(64, &memo)) && IS_OK(peers_new(8, 65536, memo, &p)));
    peers_use_lists(p, &(struct sip_key){1, 2}, taught, &c);
    peer = peer_get(p, chain, 2);
    T_NEED(peer != NULL);

    peer_verdict(p, peer, no, VERDICT_FOR_CLIENT, LEARN_NOW, &v);
    T_EQ(v.code, VERDICT_REVOCATION_UNKNOWN);
    T_EQ(c.told, 0);
    c.refuse = 1; /* the ring is full */
    peer_verdict(p, peer, yes, VERDICT_FOR_CLIENT, LEARN_NOW, &v);
    T_EQ(v.crl_want, 3);
    T_EQ(c.told, 0);
    c.refuse = 0;
    peer_verdict(p, peer, yes, VERDICT_FOR_CLIENT, LEARN_NOW + 1,
                 &v); /* kept, and told all the same */
    T_EQ(c.told, 2);
    T_OK(span_eq(c.first->der, LEARN_DER(mid)));
    T_EQ(c.n, 2);
    for (int64_t s = 2; s < 100; s++)
        peer_verdict(p, peer, yes, VERDICT_FOR_CLIENT, LEARN_NOW + s, &v);
    T_EQ(c.told, 2);
    peer_verdict(p, peer, leaf, VERDICT_FOR_CLIENT, LEARN_NOW + 200, &v);
    T_EQ(v.code, VERDICT_OK);
    T_EQ(v.crl_want, 1);
    T_EQ(c.told, 3);
    T_OK(span_eq(c.first->der, LEARN_DER(leaf)));
    T_EQ(c.n, 3);
    peer_verdict(p, peer, yes, VERDICT_FOR_CLIENT, LEARN_NOW - 86400 * 30, &v);
    T_EQ(v.code, VERDICT_NOT_YET_VALID);
    T_EQ(v.crl_want, 0); /* not good: nothing to be learnt from it */

    peer_put(p, peer);
    peers_free(p);
    memo_free(memo);
    trust_unref(no);
    trust_unref(yes);
    trust_unref(leaf);
    end(&f);
}

/* Its CA is in no set: it was shown. */
static void a_list_of_a_ca_that_was_shown(void)
{
    struct fix f;
    struct trust *t, *with;
    const struct trust *sets[1];
    const struct cert *cas[1] = {&f.mid};
    struct crl *list = NULL;
    struct revocation_answer a;
    struct revocation_signers signers = {sets, 1, cas, 0};
    char text[256];
    struct sb why = sb_of(text, sizeof(text));
    size_t n;

    begin(&f);
    t = learning(&f, true, CRL_CHECK_CHAIN, false);
    sets[0] = t;
    T_OK(!IS_OK(revocation_read(&signers, LEARN_DER(list), &why, &list, 1, &n)));
    T_OK(strstr(text, "no CA of the set has signed it; its issuer is CN=M") != NULL);
    cas[0] = &f.leaf;
    signers.ca_count = 1;
    T_OK(!IS_OK(revocation_read(&signers, LEARN_DER(list), &why, &list, 1, &n)));
    cas[0] = &f.mid;
    T_NEED(IS_OK(revocation_read(&signers, LEARN_DER(list), &why, &list, 1, &n)));
    T_NEED(IS_OK(trust_with_lists(t, &list, 1, NULL, 0, &with)));
    T_OK(with == t);
    trust_unref(with);
    T_NEED(IS_OK(trust_with_lists(t, &list, 1, cas, 1, &with)));
    revocation_ask(trust_revocation(with), &f.mid, &f.leaf, LEARN_NOW, &a);
    T_EQ(a.what, CRL_REVOKED);
    revocation_ask(trust_revocation(with), &f.root, &f.mid, LEARN_NOW, &a);
    T_EQ(a.what, CRL_NO_LIST);
    trust_unref(with);
    trust_unref(t);
    crl_unref(list);
    end(&f);
}

#define TESTS(X)                    \
    X(each_is_told_once_in_a_while) \
    X(so_many_in_a_second)          \
    X(a_path_on_its_way)            \
    X(who_may_teach) X(a_table_tells_what_is_missing) X(a_list_of_a_ca_that_was_shown)
T_MAIN("crl_learn", TESTS)
