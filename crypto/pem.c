#include "crypto/pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS_MAX 100000u

static int base64(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The body of a block; whitespace is skipped. Returns the length, or -1. */
static long decode(struct span text, uint8_t *out)
{
    uint32_t acc = 0;
    unsigned have = 0, pad = 0;
    long n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        int v;

        if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
            continue;
        if (c == '=') {
            pad++;
            continue;
        }
        v = base64(c);
        if (v < 0 || pad)
            return -1;
        acc = acc << 6 | (uint32_t)v;
        if (++have == 4) {
            out[n++] = (uint8_t)(acc >> 16);
            out[n++] = (uint8_t)(acc >> 8);
            out[n++] = (uint8_t)acc;
            acc = 0;
            have = 0;
        }
    }
    if ((have && have + pad != 4) || have == 1 || (!have && pad))
        return -1;
    if (have >= 2)
        out[n++] = (uint8_t)(acc >> (have == 2 ? 4 : 10));
    if (have == 3)
        out[n++] = (uint8_t)(acc >> 2);
    return n;
}

struct lines {
    struct span left;
    int number;
};

static bool next_line(struct lines *l, struct span *line)
{
    size_t lf;

    if (l->left.len == 0)
        return false;
    lf = span_find(l->left, '\n');
    *line = span_first(l->left, lf);
    l->left = span_from(l->left, lf + 1);
    l->number++;
    while (line->len && (line->p[line->len - 1] == '\r' || line->p[line->len - 1] == ' '))
        line->len--;
    return true;
}

/* "-----BEGIN X-----" -> X */
static bool marker(struct span line, struct span word, struct span *label)
{
    struct span dashes = SPAN_LIT("-----"), rest;

    if (!span_starts(line, dashes))
        return false;
    rest = span_from(line, dashes.len);
    if (!span_starts(rest, word) || rest.len < word.len + dashes.len ||
        memcmp(rest.p + rest.len - dashes.len, dashes.p, dashes.len) != 0)
        return false;
    *label = span_of(rest.p + word.len, rest.len - word.len - dashes.len);
    return true;
}

static bool add(struct arena *a, struct pem_block **blocks, size_t *count, size_t *cap,
                struct pem_block b)
{
    if (*count == *cap) {
        size_t more = *cap ? 2 * *cap : 8;
        struct pem_block *grown = ARENA_ARRAY(a, struct pem_block, more);

        if (!grown)
            return false;
        if (*count)
            memcpy(grown, *blocks, *count * sizeof(b));
        *blocks = grown;
        *cap = more;
    }
    (*blocks)[(*count)++] = b;
    return true;
}

/* One DER element and nothing else. */
static bool is_der(struct span text)
{
    return text.len > 4 && text.p[0] == 0x30 && text.p[1] >= 0x81 && text.p[1] <= 0x84;
}

static bool mistake(struct report *report, const char *file, int line, const char *what)
{
    report_add(report, REPORT_ERROR, file, line, NULL, "PEM: %s", what);
    return false;
}

/* From a BEGIN line to its END. */
static bool take_block(struct arena *a, const char *file, struct lines *l, struct span label,
                       struct report *report, struct pem_block *out)
{
    const uint8_t *from = l->left.p;
    int begin = l->number;
    struct span line, end_label;
    uint8_t *der;
    long n;

    for (;;) {
        if (!next_line(l, &line))
            return mistake(report, file, begin, "BEGIN without END");
        if (marker(line, SPAN_LIT("BEGIN "), &end_label))
            return mistake(report, file, l->number, "BEGIN inside of a block");
        if (marker(line, SPAN_LIT("END "), &end_label))
            break;
        if (span_find(line, ':') < line.len)
            return mistake(report, file, l->number,
                           "a header line: encrypted keys have to be decrypted first");
    }
    if (!span_eq(label, end_label))
        return mistake(report, file, l->number, "END does not match BEGIN");
    der = (uint8_t *)arena_get(a, (size_t)(line.p - from) + 4, 1);
    if (!der)
        return mistake(report, file, begin, "out of memory");
    n = decode(span_of(from, (size_t)(line.p - from)), der);
    if (n <= 0)
        return mistake(report, file, begin, "the block is not base64");
    *out = (struct pem_block){label, span_of(der, (size_t)n), begin};
    return true;
}

res pem_parse(struct arena *a, const char *file, struct span text, struct report *report,
              struct pem_block **blocks, size_t *count)
{
    struct lines l = {text, 0};
    struct span line, label;
    size_t cap = 0;
    bool ok = true;

    *blocks = NULL;
    *count = 0;
    if (is_der(text)) {
        struct pem_block b = {SPAN_NONE, text, 0};

        return add(a, blocks, count, &cap, b) ? OK : ERR(NOMEM);
    }
    while (ok && next_line(&l, &line)) {
        struct pem_block b;

        if (!marker(line, SPAN_LIT("BEGIN "), &label))
            continue; /* text between blocks explains them (RFC 7468 2) */
        if (*count == BLOCKS_MAX)
            ok = mistake(report, file, l.number, "too many blocks");
        else
            ok = take_block(a, file, &l, label, report, &b) && add(a, blocks, count, &cap, b);
    }
    if (ok && *count == 0)
        ok = mistake(report, file, 0, "neither a PEM block nor DER in this file");
    return ok ? OK : ERR(INVALID);
}

res pem_read(struct arena *a, const char *file, struct report *report, struct span *out)
{
    FILE *f = fopen(file, "re");
    size_t cap = 65536, len = 0;
    char *buf = NULL;

    if (!f) {
        report_add(report, REPORT_ERROR, file, 0, NULL, "cannot be read: %s", strerror(errno));
        return ERR(IO);
    }
    for (;;) {
        char *grown = (char *)realloc(buf, cap);

        if (!grown)
            break;
        buf = grown;
        len += fread(buf + len, 1, cap - len, f);
        if (len < cap || cap > PEM_FILE_MAX)
            break;
        cap *= 2;
    }
    if (ferror(f) || !buf || len > PEM_FILE_MAX) {
        report_add(report, REPORT_ERROR, file, 0, NULL, "cannot be read: %s",
                   len > PEM_FILE_MAX ? "larger than 64 MB" : "read error");
        free(buf);
        fclose(f);
        return ERR(IO);
    }
    fclose(f);
    *out = arena_copy(a, span_of(buf, len));
    memset(buf, 0, len); /* it may have been a key */
    free(buf);
    return out->p ? OK : ERR(NOMEM);
}

res pem_load(struct arena *a, const char *file, struct report *report, struct pem_block **blocks,
             size_t *count)
{
    struct span text;

    TRY(pem_read(a, file, report, &text));
    return pem_parse(a, file, text, report, blocks, count);
}
