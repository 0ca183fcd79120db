#include "crypto/allow.h"

#include "crypto/pem.h"
#include "crypto/sig.h"

#include <stdlib.h>

#define ENTRY_B 33u

enum kind { CERT = 1, SPKI = 2 };

struct allow {
    uint8_t *v; /* kind and hash, sorted */
    uint32_t count, cap;
    uint8_t id[32];
};

static bool add(struct allow *a, enum kind kind, const uint8_t hash[32])
{
    if (a->count == a->cap) {
        uint32_t cap = a->cap ? 2 * a->cap : 64;
        uint8_t *v = a->count < ALLOW_MAX ? (uint8_t *)realloc(a->v, (size_t)cap * ENTRY_B) : NULL;

        if (!v)
            return false;
        a->v = v;
        a->cap = cap;
    }
    a->v[(size_t)a->count * ENTRY_B] = (uint8_t)kind;
    memcpy(a->v + (size_t)a->count * ENTRY_B + 1, hash, 32);
    a->count++;
    return true;
}

static int nibble(uint8_t c)
{
    return ascii_digit(c)                                   ? c - '0'
           : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10
                                                            : -1;
}

/* 64 digits; colons may stand between bytes, as openssl prints them. */
static bool hash_of(struct span text, uint8_t out[32])
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; n++) {
        if (n && i + 2 < text.len && text.p[i] == ':')
            i++;
        if (n == 32 || i + 2 > text.len || nibble(text.p[i]) < 0 || nibble(text.p[i + 1]) < 0)
            return false;
        out[n] = (uint8_t)(nibble(text.p[i]) << 4 | nibble(text.p[i + 1]));
        i += 2;
    }
    return n == 32;
}

static bool add_text(struct allow *a, enum kind kind, struct span text, const char *name,
                     const char *file, int line, struct report *report)
{
    uint8_t hash[32];

    if (!hash_of(text, hash)) {
        report_add(report, REPORT_ERROR, file, line, "64 hex digits, with or without colons",
                   "trust '%s': \"%.*s\" is no SHA-256", name, (int)min_size(text.len, 80),
                   (const char *)text.p);
        return false;
    }
    if (!add(a, kind, hash)) {
        report_add(report, REPORT_ERROR, file, line, NULL,
                   "trust '%s': the list is too long, or memory is out", name);
        return false;
    }
    return true;
}

static bool add_line(struct allow *a, struct span line, const char *name, const char *file, int at,
                     struct report *report)
{
    size_t space;
    struct span word;

    line = span_trim(span_first(line, span_find(line, '#')));
    if (line.len && line.p[line.len - 1] == '\r')
        line = span_trim(span_first(line, line.len - 1));
    if (line.len == 0)
        return true;
    space = span_find(line, ' ');
    word = span_first(line, space);
    line = span_trim(span_from(line, space));
    if (span_eq(word, SPAN_LIT("cert")) || span_eq(word, SPAN_LIT("spki")))
        return add_text(a, span_eq(word, SPAN_LIT("cert")) ? CERT : SPKI, line, name, file, at,
                        report);
    report_add(report, REPORT_ERROR, file, at, "\"cert HEX\" or \"spki HEX\"",
               "trust '%s': not a line of such a list", name);
    return false;
}

static bool add_pem(struct allow *a, struct arena *mem, struct span text, const char *name,
                    const char *file, struct report *report)
{
    struct pem_block *blocks;
    size_t n;

    if (!IS_OK(pem_parse(mem, file, text, report, &blocks, &n)))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t hash[32];

        sha256(blocks[i].der, hash);
        if (!span_eq(blocks[i].label, SPAN_LIT("CERTIFICATE"))) {
            report_add(report, REPORT_ERROR, file, blocks[i].line, NULL,
                       "trust '%s': not a certificate", name);
            return false;
        }
        if (!add(a, CERT, hash))
            return false;
    }
    return true;
}

static bool add_file(struct allow *a, const char *file, const char *name, struct report *report)
{
    struct arena mem;
    struct span text;
    bool ok;
    int at = 1;

    arena_init(&mem);
    ok = IS_OK(pem_read(&mem, file, report, &text));
    if (ok && memmem(text.p, text.len, "-----BEGIN", 10))
        ok = add_pem(a, &mem, text, name, file, report);
    else
        for (; ok && text.len; at++) {
            size_t end = span_find(text, '\n');

            ok = add_line(a, span_first(text, end), name, file, at, report);
            text = span_from(text, end + 1);
        }
    arena_fini(&mem);
    return ok;
}

static int by_bytes(const void *x, const void *y)
{
    return memcmp(x, y, ENTRY_B);
}

/* Sorted, each once: the same entries are the same list, however they were given. */
static void finish(struct allow *a)
{
    uint32_t n = 0;

    if (a->count)
        qsort(a->v, a->count, ENTRY_B, by_bytes);
    for (uint32_t i = 0; i < a->count; i++) {
        const uint8_t *e = a->v + (size_t)i * ENTRY_B;

        if (n == 0 || memcmp(e, a->v + (size_t)(n - 1) * ENTRY_B, ENTRY_B) != 0)
            memmove(a->v + (size_t)n++ * ENTRY_B, e, ENTRY_B);
    }
    a->count = n;
    sha256(span_of(a->v, (size_t)n * ENTRY_B), a->id);
}

res allow_load(const char *name, const struct allow_source *src, struct report *report,
               struct allow **out)
{
    struct allow *a;
    bool ok = true;

    *out = NULL;
    if (src->cert_count + src->spki_count + src->file_count == 0)
        return OK;
    a = (struct allow *)calloc(1, sizeof(*a));
    if (!a)
        return ERR(NOMEM);
    for (size_t i = 0; i < src->cert_count; i++)
        ok &= add_text(a, CERT, span_str(src->certs[i]), name, NULL, 0, report);
    for (size_t i = 0; i < src->spki_count; i++)
        ok &= add_text(a, SPKI, span_str(src->spkis[i]), name, NULL, 0, report);
    for (size_t i = 0; i < src->file_count; i++)
        ok &= add_file(a, src->files[i], name, report);
    if (!ok) {
        allow_free(a);
        return ERR(FAIL);
    }
    finish(a);
    *out = a;
    return OK;
}

void allow_free(struct allow *a)
{
    if (!a)
        return;
    free(a->v);
    free(a);
}

static bool find(const struct allow *a, enum kind kind, struct span bytes)
{
    uint8_t key[ENTRY_B] = {(uint8_t)kind};

    sha256(bytes, key + 1);
    return a->count && bsearch(key, a->v, a->count, ENTRY_B, by_bytes);
}

bool allow_has(const struct allow *a, const struct cert *leaf)
{
    return find(a, CERT, leaf->der) || find(a, SPKI, leaf->spki);
}

uint32_t allow_count(const struct allow *a)
{
    return a->count;
}

const uint8_t *allow_id(const struct allow *a)
{
    return a->id;
}
