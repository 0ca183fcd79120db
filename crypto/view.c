#include "crypto/view.h"

#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/view_parts.h"

#define OID_ORG_ID OID("\x55\x04\x61") /* 2.5.4.97 */

static bool attribute(struct sb *s, struct span name, struct span oid, const struct view *v)
{
    struct name_ava ava;

    if (!name_find(name, oid, v->n, &ava))
        return false;
    name_value_text(s, ava.tag, ava.value, v->raw);
    return true;
}

static bool put_id(struct sb *s, struct span id)
{
    sb_hex(s, id);
    return id.len > 0;
}

static bool value(struct sb *s, const struct view *v, const struct cert *chain, uint32_t n,
                  int64_t now_s)
{
    const struct cert *c = &chain[0];

    switch (v->what) {
    case VIEW_M_VERSION:
        sb_u64(s, c->version);
        return true;
    case VIEW_M_SERIAL:
        cert_serial_text(s, c->serial);
        return true;
    case VIEW_S_DN:
        cert_name_text_utf8(s, c->subject);
        return true;
    case VIEW_I_DN:
        cert_name_text_utf8(s, c->issuer);
        return true;
    case VIEW_S_DN_ATTR:
    case VIEW_S_DN_TYPE:
        return attribute(s, c->subject, view_oid(v), v);
    case VIEW_I_DN_ATTR:
    case VIEW_I_DN_TYPE:
        return attribute(s, c->issuer, view_oid(v), v);
    case VIEW_ORG_ID:
        return attribute(s, c->subject, OID_ORG_ID, v);
    case VIEW_S_DN_LEGACY:
        cert_name_text_legacy(s, c->subject);
        return true;
    case VIEW_I_DN_LEGACY:
        cert_name_text_legacy(s, c->issuer);
        return true;
    case VIEW_V_START:
        view_put_time(s, c->not_before_s);
        return true;
    case VIEW_V_END:
        view_put_time(s, c->not_after_s);
        return true;
    case VIEW_V_REMAIN:
        view_put_remain(s, c->not_after_s, now_s);
        return true;
    case VIEW_A_SIG:
        view_put_sig_algorithm(s, c);
        return true;
    case VIEW_A_KEY:
        view_put_key_algorithm(s, c);
        return true;
    case VIEW_CERT:
    case VIEW_B64CERT:
        view_put_cert(s, c, v->what == VIEW_CERT);
        return true;
    case VIEW_CHAIN_CERT:
    case VIEW_CHAIN_B64CERT:
        if (1u + v->n >= n)
            return false;
        view_put_cert(s, &chain[1 + v->n], v->what == VIEW_CHAIN_CERT);
        return true;
    case VIEW_RFC4523_CEA:
        view_put_cea(s, c);
        return true;
    case VIEW_EXT:
        return view_extension(s, c, view_oid(v));
    case VIEW_SERIAL_DEC:
        view_put_decimal(s, c->serial);
        return true;
    case VIEW_FP_SHA1:
        view_put_sha1(s, c->der);
        return true;
    case VIEW_FP_SHA256:
        view_put_sha256(s, c->der);
        return true;
    case VIEW_SPKI_SHA256:
        view_put_sha256(s, c->spki);
        return true;
    case VIEW_KEY_BITS:
        sb_u64(s, c->key_bits);
        return c->key_bits > 0;
    case VIEW_AKI:
        return put_id(s, c->aki);
    case VIEW_SKI:
        return put_id(s, c->ski);
    case VIEW_SAN_EMAIL:
    case VIEW_SAN_DNS:
    case VIEW_SAN_UPN:
    case VIEW_SAN_SRV:
    case VIEW_SAN_URI:
    case VIEW_SAN_IP:
    case VIEW_EKU:
    case VIEW_POLICIES:
    case VIEW_QC_STATEMENTS:
    case VIEW_QC_TYPES:
    case VIEW_PSD2_ROLES:
    case VIEW_PSD2_NCA_NAME:
    case VIEW_PSD2_NCA_ID:
        return view_list(s, v, c);
    default:
        return false; /* of the connection */
    }
}

bool cert_view(struct sb *s, const struct view *v, const struct cert *chain, uint32_t n,
               int64_t now_s)
{
    size_t len = s->len;

    if (n && value(s, v, chain, n, now_s) && !s->cut && s->len > len)
        return true;
    sb_back(s, len);
    return false;
}
