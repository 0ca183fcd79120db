/**
 * What crypto/ocsp says of a response, for ocsp.py:
 *
 *     ocsp_ask RESPONSE CERT ISSUER NOW [NONCE|- [MAX_AGE]]     all DER files; the nonce in hex
 *     ocsp_ask --request CERT ISSUER [NONCE] > request
 *     ocsp_ask --mutate RESPONSE CERT ISSUER NOW               cut and changed at every byte
 *     ocsp_ask --url CERT
 */
#include "crypto/ocsp.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX_B 65536

static struct span load(const char *path)
{
    static uint8_t room[4][FILE_MAX_B];
    static unsigned used;
    uint8_t *p = room[used++ % 4];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(p, 1, FILE_MAX_B, f) : 0;

    if (!f) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    return span_of(p, n);
}

static struct cert cert_of(const char *path)
{
    const char *why;
    struct cert c;

    if (!IS_OK(cert_parse(load(path), &c, &why))) {
        fprintf(stderr, "%s: %s\n", path, why);
        exit(2);
    }
    return c;
}

static struct span unhex(const char *text, uint8_t out[OCSP_NONCE_B])
{
    size_t n = 0;
    unsigned b;

    while (n < OCSP_NONCE_B && sscanf(text + 2 * n, "%2x", &b) == 1)
        out[n++] = (uint8_t)b;
    return span_of(out, n);
}

static int request(int argc, char **argv)
{
    struct cert cert = cert_of(argv[2]), issuer = cert_of(argv[3]);
    uint8_t nonce[OCSP_NONCE_B], out[OCSP_REQUEST_MAX_B];
    size_t n = ocsp_request(&cert, &issuer, argc > 4 ? unhex(argv[4], nonce) : SPAN_NONE, out);

    return n && fwrite(out, 1, n, stdout) == n ? 0 : 1;
}

static int url(char **argv)
{
    struct cert cert = cert_of(argv[2]);
    struct span u;

    if (!ocsp_url(&cert, &u))
        return 1;
    printf("%.*s\n", (int)u.len, (const char *)u.p);
    return 0;
}

/* Whatever is changed: it is refused, or what was changed is not part of the answer. */
static int mutate(struct span whole, const struct cert *cert, const struct cert *issuer,
                  const struct ocsp_rules *rules)
{
    struct ocsp_answer first, a;
    unsigned taken = 0;
    const char *why;

    if (!IS_OK(ocsp_judge(whole, cert, issuer, rules, &first, &why)))
        return 1;
    for (size_t n = 0; n < whole.len; n++) {
        uint8_t *cut = (uint8_t *)malloc(n ? n : 1); /* so that a read behind it is seen */

        memcpy(cut, whole.p, n);
        if (IS_OK(ocsp_judge(span_of(cut, n), cert, issuer, rules, &a, &why)))
            return 1;
        free(cut);
    }
    for (size_t n = 0; n < whole.len; n++) {
        static const uint8_t flips[] = {0x01, 0x80, 0xff};

        for (size_t k = 0; k < sizeof(flips); k++) {
            uint8_t *copy = (uint8_t *)malloc(whole.len);

            memcpy(copy, whole.p, whole.len);
            copy[n] ^= flips[k];
            if (IS_OK(ocsp_judge(span_of(copy, whole.len), cert, issuer, rules, &a, &why))) {
                taken++;
                if (memcmp(&a, &first, sizeof(a)) != 0)
                    return 1;
            } else if (!why || !*why || a.status != OCSP_UNKNOWN) {
                return 1;
            }
            free(copy);
        }
    }
    printf("%zu bytes, %u changes were not part of what is signed\n", whole.len, taken);
    return 0;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--mutate") == 0;
    struct ocsp_rules rules = {0};
    uint8_t nonce[OCSP_NONCE_B];
    struct cert cert, issuer;
    struct ocsp_answer a;
    const char *why;

    if (argc > 3 && strcmp(argv[1], "--request") == 0)
        return request(argc, argv);
    if (argc > 2 && strcmp(argv[1], "--url") == 0)
        return url(argv);
    argv += all;
    if ((argc -= all) < 5)
        return 2;
    cert = cert_of(argv[2]);
    issuer = cert_of(argv[3]);
    rules.now_s = strtoll(argv[4], NULL, 10);
    if (argc > 5 && strcmp(argv[5], "-") != 0)
        rules.nonce = unhex(argv[5], nonce);
    rules.max_age_s = argc > 6 ? strtoll(argv[6], NULL, 10) : 0;
    if (all)
        return mutate(load(argv[1]), &cert, &issuer, &rules);
    if (!IS_OK(ocsp_judge(load(argv[1]), &cert, &issuer, &rules, &a, &why))) {
        printf("refused: %s\n", why);
        return 1;
    }
    printf("%s this=%lld next=%lld until=%lld revoked=%lld reason=%s nonce=%d delegated=%d\n",
           ocsp_status_name(a.status), (long long)a.this_s, (long long)a.next_s,
           (long long)a.until_s, (long long)a.revoked_s, ocsp_reason_name(a.reason), a.nonce_seen,
           a.delegated);
    return 0;
}
