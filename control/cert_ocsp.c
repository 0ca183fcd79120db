#include "control/cert_ocsp.h"

#include "control/cert_text.h"
#include "crypto/ocsp.h"
#include "crypto/pem.h"

#define TABLE 64u

static const struct cert *cert_at(const struct verdict_input *in, int16_t ref)
{
    const struct trust_entry *e;

    if (ref >= 0)
        return &in->chain[ref];
    e = trust_entry_at(in->trust, (uint32_t)(-1 - ref));
    return e ? &e->cert : NULL;
}

/* As control/ocsp_cache.c does with the same answer. */
static void put(struct ocsp_table *t, const struct cert *cert, const struct cert *issuer,
                const struct ocsp_answer *a)
{
    struct ocsp_entry e = {OCSP_IS_UNANSWERED, 0, INT64_MAX};
    uint8_t id[OCSP_ID_B];

    if (a->status == OCSP_GOOD)
        e = (struct ocsp_entry){OCSP_IS_GOOD, a->this_s, a->until_s};
    else if (a->status == OCSP_REVOKED)
        e = (struct ocsp_entry){OCSP_IS_REVOKED, a->this_s, INT64_MAX};
    ocsp_id(cert, issuer, id);
    ocsp_table_put(t, id, &e);
}

static json_t *text_good(const char *file, const struct cert *cert, const struct ocsp_answer *a)
{
    char subject[512], serial[64];
    struct sb s = sb_of(subject, sizeof(subject)), n = sb_of(serial, sizeof(serial));
    json_t *o = json_object();

    cert_name_text(&s, cert->subject);
    cert_serial_text(&n, cert->serial);
    json_object_set_new(o, "response", json_string(file));
    json_object_set_new(o, "certificate", cert_json(&s));
    json_object_set_new(o, "serial", cert_json(&n));
    json_object_set_new(o, "status", json_string(ocsp_status_name(a->status)));
    json_object_set_new(o, "this_update", cert_day(a->this_s));
    json_object_set_new(o, "until", cert_day(a->until_s));
    if (a->status == OCSP_REVOKED) {
        json_object_set_new(o, "reason", json_string(ocsp_reason_name(a->reason)));
        json_object_set_new(o, "revoked", cert_day(a->revoked_s));
    }
    json_object_set_new(o, "signed_by",
                        json_string(a->delegated ? "a delegate of the issuer" : "the issuer"));
    return o;
}

/* One response: about any certificate of the path that it may be about; why not is said of the leaf. */
static void take(struct cert_ocsp *o, const char *file, struct span response,
                 const struct verdict_input *in, const struct verdict *v)
{
    const struct ocsp_rules rules = {.now_s = in->now_s};
    const char *first = NULL, *why = "the chain ends with the client's certificate";
    struct ocsp_answer a;

    for (uint32_t i = 0; i + 1 < v->path_len; i++) {
        const struct cert *cert = cert_at(in, v->path[i]), *issuer = cert_at(in, v->path[i + 1]);

        if (cert && issuer && IS_OK(ocsp_judge(response, cert, issuer, &rules, &a, &why))) {
            put(o->table, cert, issuer, &a);
            json_array_append_new(o->said, text_good(file, cert, &a));
            return;
        }
        first = first ? first : why;
    }
    json_array_append_new(o->said, json_pack("{s:s,s:s,s:s}", "response", file, "status",
                                             "not usable", "why", first ? first : why));
}

bool cert_ocsp_judge(struct cert_ocsp *o, const struct verdict_input *in, struct verdict *v,
                     struct report *r)
{
    struct verdict_input with = *in;
    struct arena a;
    bool good = true;

    if (trust_ocsp(in->trust)->check == OCSP_CHECK_OFF) {
        report_add(r, REPORT_ERROR, NULL, 0, "set ocsp = \"leaf\" in the trust set",
                   "--ocsp: the trust set does not ask for responses");
        return false;
    }
    o->said = json_array();
    if (!o->said || !IS_OK(ocsp_table_new(TABLE, &o->table)))
        return false;
    arena_init(&a);
    for (uint32_t i = 0; i < o->n && good; i++) {
        struct span response;

        good = IS_OK(pem_read(&a, o->files[i], r, &response));
        if (good)
            take(o, o->files[i], response, in, v);
    }
    arena_fini(&a);
    if (!good)
        return false;
    with.ocsp = o->table;
    with.ocsp_none = false;
    with.ocsp_late = true; /* nobody else will answer */
    verdict_judge(&with, v);
    return true;
}

void cert_ocsp_fini(struct cert_ocsp *o)
{
    json_decref(o->said);
    ocsp_table_free(o->table);
}
