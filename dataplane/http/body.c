#include "http/h1.h"
#include "http/scan.h"

/* Chunked coding (RFC 9112 7.1). A chunk line with its extensions and all trailers together are bounded. */
#define LINE_MAX_B 4096u
#define DIGITS_MAX 15u /* of a chunk size: below 2^60 */

enum {
    SIZE,
    EXT,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_LINE,
    TRAILER_LF,
    END_LF,
    BROKEN
};

void h1_body_begin(struct h1_body *b, const struct h1_head *h)
{
    *b = (struct h1_body){.framing = h->framing, .state = SIZE};
    if (h->framing == H1_LENGTH)
        b->left = h->content_length;
    b->done = h->framing == H1_NO_BODY || (h->framing == H1_LENGTH && b->left == 0);
}

static bool bounded(struct h1_body *b)
{
    return ++b->line_b <= LINE_MAX_B;
}

static bool size_digit(struct h1_body *b, uint8_t c)
{
    int v = scan_hex(c);

    if (v < 0)
        return false;
    if (++b->digits > DIGITS_MAX)
        return false;
    b->left = b->left << 4 | (uint64_t)v;
    return true;
}

/* One byte of framing. False: refused. */
static bool step(struct h1_body *b, uint8_t c)
{
    if (!bounded(b))
        return false;
    switch (b->state) {
    case SIZE:
        if (size_digit(b, c))
            return true;
        if (b->digits == 0 || b->digits > DIGITS_MAX)
            return false;
        if (c == '\r') {
            b->state = SIZE_LF;
            return true;
        }
        /* ";ext", or spaces in front of it (BWS) */
        b->state = EXT;
        return c == ';' || c == ' ' || c == '\t';
    case EXT:
        if (c == '\r')
            b->state = SIZE_LF;
        return c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f);
    case SIZE_LF:
        b->state = b->left ? DATA : TRAILER;
        b->digits = 0;
        if (b->left)
            b->line_b = 0;
        return c == '\n';
    case DATA_CR:
        b->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        b->state = SIZE;
        b->line_b = 0;
        return c == '\n';
    case TRAILER: /* begin of a line */
        if (c == '\r') {
            b->state = END_LF;
            return true;
        }
        b->state = TRAILER_LINE;
        return scan_token(span_of(&c, 1)) == 1;
    case TRAILER_LINE:
        if (c == '\r')
            b->state = TRAILER_LF;
        return c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f);
    case TRAILER_LF:
        b->state = TRAILER;
        return c == '\n';
    case END_LF:
        b->done = c == '\n';
        return b->done;
    default:
        return false;
    }
}

static enum h1_result chunked(struct h1_body *b, struct span in, uint32_t *skip, uint64_t *data)
{
    while (!b->done && b->state != DATA && b->state != BROKEN) {
        if (*skip == in.len)
            return H1_MORE;
        if (!step(b, in.p[(*skip)++]))
            b->state = BROKEN;
    }
    if (b->state == BROKEN)
        return H1_BAD;
    if (b->done)
        return H1_DONE;
    *data = in.len - *skip < b->left ? in.len - *skip : b->left;
    return H1_MORE;
}

enum h1_result h1_body_next(struct h1_body *b, struct span in, uint32_t *skip, uint64_t *data)
{
    *skip = 0;
    *data = 0;
    if (b->done)
        return H1_DONE;
    if (b->framing == H1_CHUNKED)
        return chunked(b, in, skip, data);
    if (b->framing == H1_UNTIL_CLOSE)
        *data = in.len;
    else
        *data = in.len < b->left ? in.len : b->left;
    return H1_MORE;
}

void h1_body_take(struct h1_body *b, uint64_t n)
{
    if (b->framing == H1_UNTIL_CLOSE || n == 0)
        return;
    b->left -= n;
    if (b->left)
        return;
    if (b->framing == H1_CHUNKED)
        b->state = DATA_CR;
    else
        b->done = true;
}
