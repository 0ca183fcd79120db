#include "crypto/ocsp.h"

#include "crypto/der.h"
#include "crypto/oid.h"
#include "crypto/sig.h"

#define REASON_MAX   10u
#define CERTS_MAX    8u /* of a response that are looked at */
#define RSA_MIN_BITS 2048u

const char *ocsp_status_name(enum ocsp_status s)
{
    static const char *const names[] = {"good", "revoked", "unknown"};

    return names[s];
}

const char *ocsp_reason_name(uint8_t reason)
{
    static const char *const names[REASON_MAX + 1] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "unspecified",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};

    return reason <= REASON_MAX ? names[reason] : "unspecified";
}

/* --- reading a response --- */

struct response {
    struct span tbs, sig, certs, singles, extensions;
    struct cert_alg alg;
    struct span by_name, by_key; /* the responder's; one of them */
    int64_t produced_s;
};

struct single {
    struct cert_hash_of {
        enum cert_hash hash;
        struct span name, key, serial;
    } id;
    struct ocsp_answer a;
};

#define NO(text)      \
    do {              \
        *why = text;  \
        return false; \
    } while (0)

static bool general_time(struct span *in, int64_t *out)
{
    struct span body;

    return der_get(in, DER_GENERAL_TIME, &body) && der_time(DER_GENERAL_TIME, body, out);
}

/* One element in an explicit tag, and nothing else in it. */
static bool explicit_one(struct span part, uint8_t tag, struct span *body)
{
    return der_get(&part, tag, body) && part.len == 0;
}

/* OCSPResponse down to BasicOCSPResponse (RFC 6960 4.2.1). */
static bool open_outer(struct span der, struct span *basic, const char **why)
{
    static const char *const refused[] = {NULL,
                                          "the responder could not read the request",
                                          "the responder has an internal error",
                                          "the responder is busy: try later",
                                          "responseStatus",
                                          "the responder wants signed requests",
                                          "the responder does not answer for this certificate"};
    struct span seq, status, part, oid, octets;
    bool there;

    if (der.len > OCSP_RESPONSE_MAX_B)
        NO("it is too large");
    if (!der_get(&der, DER_SEQUENCE, &seq) || der.len || !der_get(&seq, DER_ENUMERATED, &status) ||
        status.len != 1)
        NO("it is no OCSPResponse");
    if (status.p[0])
        NO(status.p[0] < ARRAY_LEN(refused) ? refused[status.p[0]] : "responseStatus");
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &part, &there) || !there || seq.len ||
        !explicit_one(part, DER_SEQUENCE, &seq) || !der_get(&seq, DER_OID, &oid) ||
        !der_get(&seq, DER_OCTET_STRING, &octets) || seq.len)
        NO("responseBytes");
    if (!span_eq(oid, OID_OCSP_BASIC))
        NO("it is not a basic response");
    if (!explicit_one(octets, DER_SEQUENCE, basic))
        NO("it is no BasicOCSPResponse");
    return true;
}

static bool take_responder(struct response *r, struct span *tbs)
{
    struct der e, name;

    if (!der_next(tbs, &e))
        return false;
    if (e.tag == (DER_CONTEXT_CONS | 1)) {
        if (!der_next(&e.body, &name) || name.tag != DER_SEQUENCE || e.body.len)
            return false;
        r->by_name = name.whole;
        return true;
    }
    return e.tag == (DER_CONTEXT_CONS | 2) && explicit_one(e.body, DER_OCTET_STRING, &r->by_key) &&
           r->by_key.len == 20;
}

static bool open_basic(struct span basic, struct response *r, const char **why)
{
    struct span alg, bits, part, tbs;
    struct der data;
    uint8_t unused;
    bool there;

    if (!der_next(&basic, &data) || data.tag != DER_SEQUENCE ||
        !der_get(&basic, DER_SEQUENCE, &alg) || !der_get(&basic, DER_BIT_STRING, &bits) ||
        !der_maybe(&basic, DER_CONTEXT_CONS | 0, &part, &there) || basic.len)
        NO("it is no BasicOCSPResponse");
    if (!cert_alg_parse(alg, &r->alg) || !der_bits(bits, &r->sig, &unused) || unused)
        NO("signature");
    if (there && !explicit_one(part, DER_SEQUENCE, &r->certs))
        NO("certificates");
    r->tbs = data.whole;
    tbs = data.body;
    /* version [0] DEFAULT v1 is not written, and there is no other. */
    if (!take_responder(r, &tbs))
        NO("responderID");
    if (!general_time(&tbs, &r->produced_s))
        NO("producedAt");
    if (!der_get(&tbs, DER_SEQUENCE, &r->singles) ||
        !der_maybe(&tbs, DER_CONTEXT_CONS | 1, &part, &there) || tbs.len)
        NO("responses");
    if (there && !explicit_one(part, DER_SEQUENCE, &r->extensions))
        NO("responseExtensions");
    return true;
}

static enum cert_hash id_hash(struct span alg)
{
    struct span oid, null;
    bool there;

    if (!der_get(&alg, DER_OID, &oid) || !der_maybe(&alg, DER_NULL, &null, &there) || alg.len ||
        (there && null.len))
        return CERT_HASH_OTHER;
    if (span_eq(oid, OID_SHA1))
        return CERT_HASH_SHA1;
    return span_eq(oid, OID_SHA256) ? CERT_HASH_SHA256 : CERT_HASH_OTHER;
}

static bool take_cert_id(struct span seq, struct single *s)
{
    struct span alg;

    if (!der_get(&seq, DER_SEQUENCE, &alg) || !der_get(&seq, DER_OCTET_STRING, &s->id.name) ||
        !der_get(&seq, DER_OCTET_STRING, &s->id.key) ||
        !der_get(&seq, DER_INTEGER, &s->id.serial) || seq.len || !der_integer_ok(s->id.serial))
        return false;
    s->id.hash = id_hash(alg);
    return true;
}

/* RevokedInfo ::= SEQUENCE { revocationTime, revocationReason [0] EXPLICIT CRLReason OPTIONAL } */
static bool take_revoked(struct span in, struct ocsp_answer *a)
{
    struct span part, reason;
    bool there;

    if (!general_time(&in, &a->revoked_s) || !der_maybe(&in, DER_CONTEXT_CONS | 0, &part, &there) ||
        in.len)
        return false;
    if (!there)
        return true;
    if (!explicit_one(part, DER_ENUMERATED, &reason) || reason.len != 1 || reason.p[0] > REASON_MAX)
        return false;
    a->reason = reason.p[0];
    return true;
}

static bool take_status(struct span *in, struct ocsp_answer *a)
{
    struct der e;

    if (!der_next(in, &e))
        return false;
    switch (e.tag) {
    case DER_CONTEXT | 0:
        a->status = OCSP_GOOD;
        return e.body.len == 0;
    case DER_CONTEXT_CONS | 1:
        a->status = OCSP_REVOKED;
        return take_revoked(e.body, a);
    case DER_CONTEXT | 2:
        a->status = OCSP_UNKNOWN;
        return e.body.len == 0;
    default:
        return false;
    }
}

/* Extensions: none that is critical is known here but, of the response, the nonce. */
static bool take_extensions(struct span seq, struct span *nonce)
{
    struct span one, oid, flag, value;
    bool there, critical;

    while (seq.len) {
        critical = false;
        if (!der_get(&seq, DER_SEQUENCE, &one) || !der_get(&one, DER_OID, &oid) ||
            !der_maybe(&one, DER_BOOLEAN, &flag, &there) ||
            (there && !der_boolean(flag, &critical)) || !der_get(&one, DER_OCTET_STRING, &value) ||
            one.len)
            return false;
        if (nonce && span_eq(oid, OID_OCSP_NONCE)) {
            if (nonce->p || !explicit_one(value, DER_OCTET_STRING, nonce))
                return false;
        } else if (critical) {
            return false;
        }
    }
    return true;
}

static bool take_single(struct span seq, struct single *s)
{
    struct span id, part, extensions;
    bool there;

    *s = (struct single){.a = {.status = OCSP_UNKNOWN}};
    if (!der_get(&seq, DER_SEQUENCE, &id) || !take_cert_id(id, s) || !take_status(&seq, &s->a) ||
        !general_time(&seq, &s->a.this_s) || !der_maybe(&seq, DER_CONTEXT_CONS | 0, &part, &there))
        return false;
    if (there && (!general_time(&part, &s->a.next_s) || part.len || s->a.next_s < s->a.this_s))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 1, &part, &there) || seq.len)
        return false;
    return !there ||
           (explicit_one(part, DER_SEQUENCE, &extensions) && take_extensions(extensions, NULL));
}

/* --- judging it --- */

static bool hash_is(enum cert_hash h, struct span of, struct span want)
{
    uint8_t got[32];

    if (h == CERT_HASH_SHA1)
        sha1(of, got);
    else
        sha256(of, got);
    return span_eq(want, span_of(got, h == CERT_HASH_SHA1 ? 20 : 32));
}

static bool is_about(const struct single *s, const struct cert *cert, const struct cert *issuer)
{
    return s->id.hash != CERT_HASH_OTHER && span_eq(s->id.serial, cert->serial) &&
           hash_is(s->id.hash, cert->issuer, s->id.name) &&
           hash_is(s->id.hash, issuer->key, s->id.key);
}

/* What it says of the certificate: one word for "revoked" counts more than any other, else the newest. */
static bool pick(struct span singles, const struct cert *cert, const struct cert *issuer,
                 struct ocsp_answer *out, const char **why)
{
    bool found = false;
    struct single s;
    struct span one;

    while (singles.len) {
        if (!der_get(&singles, DER_SEQUENCE, &one) || !take_single(one, &s))
            NO("a single response");
        if (!is_about(&s, cert, issuer) ||
            (found && out->status == OCSP_REVOKED && s.a.status != OCSP_REVOKED))
            continue;
        if (!found || s.a.status == OCSP_REVOKED || s.a.this_s > out->this_s)
            *out = s.a;
        found = true;
    }
    if (!found)
        NO("it is about another certificate");
    return true;
}

static bool is_responder(const struct response *r, const struct cert *c)
{
    uint8_t key[20];

    if (r->by_name.len)
        return cert_name_eq(r->by_name, c->subject);
    sha1(c->key, key);
    return span_eq(r->by_key, span_of(key, sizeof(key)));
}

static bool algorithm_ok(enum cert_sig sig, enum cert_hash hash)
{
    return sig != CERT_SIG_OTHER && hash != CERT_HASH_OTHER && hash != CERT_HASH_MD5 &&
           hash != CERT_HASH_SHA1;
}

static bool signed_by(const struct response *r, const struct cert *c)
{
    struct sig_input in = {r->tbs, r->sig, r->alg.sig, r->alg.hash, r->alg.salt_b};

    return sig_check(c, &in, NULL) == SIG_VALID;
}

/* RFC 6960 4.2.2.2: issued directly by the certificate's issuer, for this and said so by name. */
static bool may_answer(const struct cert *d, const struct cert *issuer, int64_t now_s)
{
    if (d->version != 3 || d->ext_twice || d->sig_alg_differs || !(d->ext & CERT_EXT_EKU) ||
        !(d->eku & CERT_EKU_OCSP_SIGNING) || (d->ext & CERT_EXT_UNKNOWN_CRITICAL) ||
        (d->key_type == CERT_KEY_RSA && d->key_bits < RSA_MIN_BITS))
        return false;
    if ((d->ext & CERT_EXT_KEY_USAGE) &&
        !(d->key_usage & (CERT_KU_DIGITAL_SIGNATURE | CERT_KU_NON_REPUDIATION)))
        return false;
    return now_s >= d->not_before_s && now_s <= d->not_after_s &&
           cert_name_eq(d->issuer, issuer->subject) && algorithm_ok(d->sig_alg, d->sig_hash) &&
           sig_check_cert(issuer, d, NULL) == SIG_VALID;
}

static bool signer_ok(const struct response *r, const struct cert *issuer, int64_t now_s,
                      bool *delegated, const char **why)
{
    struct span certs = r->certs;
    unsigned tried = 0;

    *delegated = false;
    if (!algorithm_ok(r->alg.sig, r->alg.hash))
        NO("its signature's algorithm or hash is not accepted");
    if (is_responder(r, issuer) && signed_by(r, issuer))
        return true;
    *delegated = true;
    for (unsigned n = 0; certs.len && n < CERTS_MAX; n++) {
        struct cert d;
        struct der e;

        if (!der_next(&certs, &e) || e.tag != DER_SEQUENCE)
            NO("certificates");
        if (!IS_OK(cert_parse(e.whole, &d, why)) || !is_responder(r, &d))
            continue;
        if (tried++ == OCSP_SIGNERS_MAX / 2) /* two checks for each */
            break;
        if (may_answer(&d, issuer, now_s) && signed_by(r, &d))
            return true;
    }
    NO("neither the issuer nor a delegate of it (OCSPSigning, valid now) has signed it");
}

static bool nonce_ok(const struct response *r, struct span asked, struct ocsp_answer *a,
                     const char **why)
{
    struct span got = SPAN_NONE;

    if (!take_extensions(r->extensions, &got))
        NO("responseExtensions");
    /* RFC 8954 2.1: one that does not come back is no mistake (RFC 5019 responders answer ahead). */
    a->nonce_seen = asked.len && got.p && span_eq(got, asked);
    if (asked.len && got.p && !a->nonce_seen)
        NO("its nonce is not the one that was asked with");
    return true;
}

static bool times_ok(const struct response *r, const struct ocsp_rules *rules,
                     struct ocsp_answer *a, const char **why)
{
    int64_t now = rules->now_s;

    if (a->this_s > now + OCSP_SKEW_S || r->produced_s > now + OCSP_SKEW_S)
        NO("it is of the future: compare the clocks");
    a->until_s = a->next_s ? a->next_s : a->this_s + OCSP_FRESH_S;
    if (rules->max_age_s && a->this_s + rules->max_age_s < a->until_s)
        a->until_s = a->this_s + rules->max_age_s;
    if (now > a->until_s + OCSP_SKEW_S)
        NO("it is too old");
    return true;
}

static bool judge(struct span der, const struct cert *cert, const struct cert *issuer,
                  const struct ocsp_rules *rules, struct ocsp_answer *out, const char **why)
{
    struct response r = {.produced_s = 0};
    struct span basic;
    bool delegated;

    if (!open_outer(der, &basic, why) || !open_basic(basic, &r, why) ||
        !pick(r.singles, cert, issuer, out, why) || !nonce_ok(&r, rules->nonce, out, why) ||
        !times_ok(&r, rules, out, why) || !signer_ok(&r, issuer, rules->now_s, &delegated, why))
        return false;
    out->delegated = delegated;
    return true;
}

res ocsp_judge(struct span response, const struct cert *cert, const struct cert *issuer,
               const struct ocsp_rules *rules, struct ocsp_answer *out, const char **why)
{
    *why = "";
    memset(out, 0, sizeof(*out));
    if (judge(response, cert, issuer, rules, out, why))
        return OK;
    *out = (struct ocsp_answer){.status = OCSP_UNKNOWN};
    return ERR(INVALID);
}
