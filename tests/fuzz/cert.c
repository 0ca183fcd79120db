/**
 * Target: certificates -> verdict. The input: one byte of flags, then certificates, each with its length in two
 * bytes. The last one is the anchor, the one before it, when flag 1 is set, a helper of the trust set; the rest is
 * what the peer sent. With flag 2 every signature is taken for good, so that mutations get past them.
 */
#include "crypto/crl.h"
#include "crypto/verdict.h"
#include "crypto/view.h"
#include "fuzz/fake_sig.h"
#include "fuzz/fuzz.h"

#define CHAIN_MAX 16

static uint32_t read_all(const uint8_t *p, size_t size, struct span *out, uint32_t max)
{
    uint32_t n = 0;

    while (size >= 2 && n < max) {
        size_t len = (size_t)p[0] << 8 | p[1];

        p += 2;
        size -= 2;
        len = len < size ? len : size;
        out[n++] = span_of(p, len);
        p += len;
        size -= len;
    }
    return n;
}

static void look_points(struct span extension)
{
    struct span urls[4];
    size_t n = crl_points(extension, urls, 4);

    (void)crl_point_named(extension, span_from(extension, extension.len / 2));

    FUZZ_MUST(n <= 4);
    for (size_t i = 0; i < n; i++)
        FUZZ_MUST(urls[i].len >= 7 && urls[i].p >= extension.p &&
                  urls[i].p + urls[i].len <= extension.p + extension.len);
}

static void look(const struct cert *c)
{
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));
    struct span it = c->san, value;
    enum cert_san_kind kind;

    cert_name_text(&s, c->subject);
    cert_name_text_legacy(&s, c->issuer);
    cert_serial_text(&s, c->serial);
    while (cert_san_next(&it, &kind, &value))
        FUZZ_MUST(value.len <= c->san.len);
    for (unsigned i = 0; view_name_at(i); i++) {
        static char big[CERT_VIEW_MAX_B];
        struct sb b = sb_of(big, sizeof(big));
        const char *why;
        struct view v;

        if (view_compile(span_str(view_name_at(i)), &v, &why) && v.side == VIEW_CLIENT &&
            cert_view(&b, &v, c, 1, 1795000000))
            FUZZ_MUST(b.len > 0 && !b.cut);
    }
    look_points(c->crl_dp);
    look_points(c->freshest_crl);
    (void)verdict_name_matches(c, SPAN_LIT("gw.example"));
    (void)verdict_name_matches(c, SPAN_LIT("10.77.0.1"));
}

static void judge(const struct cert *chain, uint32_t n, const struct trust *t, uint8_t flags)
{
    struct verdict_input in = {.chain = chain,
                               .chain_len = n,
                               .trust = t,
                               .now_s = 1795000000,
                               .purpose = flags & 4 ? VERDICT_FOR_SERVER : VERDICT_FOR_CLIENT,
                               .max_depth = (flags >> 4) - 1};
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));
    struct verdict v;

    verdict_judge(&in, &v);
    FUZZ_MUST(v.code < VERDICT_CODE_COUNT && v.work <= VERDICT_WORK_MAX &&
              v.path_len <= VERDICT_PATH_MAX);
    if (v.code == VERDICT_OK) {
        FUZZ_MUST(v.path_len > 0 && v.anchor >= 0 && v.expires_s >= in.now_s);
        FUZZ_MUST(v.path_len == 1 || fake_sig_valid);
        FUZZ_MUST(in.max_depth < 0 || v.chain_len <= in.max_depth);
    }
    verdict_explain(&s, &v, &in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span der[CHAIN_MAX];
    static struct cert chain[CHAIN_MAX];
    struct report *r = report_new();
    struct trust *t = NULL;
    uint32_t n, helpers, sent = 0;
    uint8_t flags;

    if (size < 1 || !r) {
        report_free(r);
        return 0;
    }
    flags = data[0];
    fake_sig_valid = flags & 2;
    n = read_all(data + 1, size - 1, der, CHAIN_MAX);
    helpers = n > 1 && (flags & 1);
    for (uint32_t i = 0; i + 1 + helpers < n; i++) {
        const char *why = NULL;

        if (IS_OK(cert_parse(der[i], &chain[sent], &why)))
            look(&chain[sent++]);
        else
            FUZZ_MUST(why && *why);
    }
    if (n > 0 && IS_OK(trust_from_der("fuzz", &der[n - 1], 1, &der[n > 1 ? n - 2 : 0], helpers,
                                      flags & 8, r, &t))) {
        judge(chain, sent, t, flags);
        trust_unref(t);
    }
    report_free(r);
    return 0;
}
