#include "base/must.h"
#include "proxy/internal.h"

/* Around one chunk of ours: up to 8 hex digits and two line ends. */
#define CHUNK_OVER_B 12u
/* "0\r\n\r\n" */
#define LAST_CHUNK_B 5u
#define PIECE_B      16000u /* of body at once: with its chunk frame it fits into one TLS record */

/* --- the source --- */

/* Where the next bytes come from: first what was read along with the head. */
static struct span source(struct px_buf *b, struct stream *s)
{
    struct span v = SPAN_NONE;

    if (b && b->to > b->from)
        return span_of(b->p + b->from, b->to - b->from);
    return stream_peek(s, &v, 1) ? v : SPAN_NONE;
}

static void consume(struct px_buf *b, struct stream *s, uint32_t n)
{
    if (b && b->to > b->from)
        b->from += n;
    else
        stream_consume(s, n);
}

/* --- the sink --- */

/* What may be put now. It is asked for anew only when nothing is under way: a promise holds that long. */
static uint32_t sink_space(struct px_sink *k)
{
    if (k->used == 0)
        k->left = stream_tx_space(k->s);
    return k->left;
}

void px_sink_put(struct px_sink *k, struct span bytes)
{
    while (bytes.len) {
        uint32_t n;

        if (k->used == k->got) {
            px_sink_end(k);
            k->room = (uint8_t *)stream_reserve(k->s, k->left, &k->got);
            if (!SHOULD(k->room != NULL))
                return;
        }
        n = (uint32_t)min_size(bytes.len, k->got - k->used);
        memcpy(k->room + k->used, bytes.p, n);
        k->used += n;
        k->left -= n;
        bytes = span_from(bytes, n);
    }
}

void px_sink_end(struct px_sink *k)
{
    if (k->used)
        stream_commit(k->s, k->used);
    k->used = k->got = 0;
}

bool px_sink_head(struct px_sink *k, struct span head)
{
    if (sink_space(k) < head.len)
        return false;
    px_sink_put(k, head);
    return true;
}

/* One piece of body, framed or not. */
static void write_piece(struct px_sink *k, struct span data, bool chunked)
{
    static const char hex[] = "0123456789abcdef";
    char frame[16];
    struct sb f = sb_of(frame, sizeof(frame));
    int shift = 28;

    if (!chunked) {
        px_sink_put(k, data);
        return;
    }
    while (shift > 0 && (data.len >> shift & 15) == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        sb_char(&f, hex[data.len >> shift & 15]);
    sb_str(&f, "\r\n");
    px_sink_put(k, sb_span(&f));
    px_sink_put(k, data);
    px_sink_put(k, SPAN_LIT("\r\n"));
}

/* How much body may go now; what is under way goes out first when it stands in the way. */
static uint32_t room_for(struct px_sink *k, bool chunked)
{
    uint32_t over = chunked ? CHUNK_OVER_B + LAST_CHUNK_B : 0;

    if (k->used && k->left <= over)
        px_sink_end(k);
    return sink_space(k) > over ? (uint32_t)min_size(k->left - over, PIECE_B) : 0;
}

/* --- moving --- */

enum moved { MOVED_MORE, MOVED_DONE, MOVED_BAD, MOVED_TOO_LARGE, MOVED_EMPTY, MOVED_FULL };

struct mover {
    struct h1_body *body;
    struct px_buf *buf;
    struct stream *from;
    struct px_sink *to;
    bool chunked;
    uint64_t *count;
    uint64_t max;
};

/* One step: framing away, one piece of data over. */
static enum moved move(struct mover *m)
{
    struct span in = source(m->buf, m->from), data_span;
    uint32_t skip, room;
    uint64_t data;
    enum h1_result r;

    r = h1_body_next(m->body, in, &skip, &data);
    if (r == H1_BAD)
        return MOVED_BAD;
    if (data) {
        room = room_for(m->to, m->chunked);
        if (room == 0)
            return MOVED_FULL;
        data_span = span_first(span_from(in, skip), min_size(data, room));
        if (*m->count + data_span.len > m->max)
            return MOVED_TOO_LARGE;
        write_piece(m->to, data_span, m->chunked);
        consume(m->buf, m->from, skip + (uint32_t)data_span.len);
        h1_body_take(m->body, data_span.len);
        *m->count += data_span.len;
        return MOVED_MORE;
    }
    if (r == H1_DONE && m->chunked && sink_space(m->to) < LAST_CHUNK_B)
        return MOVED_FULL;
    if (skip)
        consume(m->buf, m->from, skip);
    if (r == H1_DONE) {
        if (m->chunked)
            px_sink_put(m->to, SPAN_LIT("0\r\n\r\n"));
        return MOVED_DONE;
    }
    return skip ? MOVED_MORE : MOVED_EMPTY;
}

static bool owe_continue(struct px_req *r)
{
    struct stream *s = r->client->s;

    if (!r->expect)
        return true;
    /* Bytes of the body are there already: the client did not wait (RFC 9110 10.1.1). */
    if (stream_readable(s) || px_kept(r->client)) {
        r->expect = false;
        return true;
    }
    if (!stream_write(s, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n")))
        return false;
    r->expect = false;
    return true;
}

bool px_body_up(struct px_req *r)
{
    struct px_client *c = r->client;
    struct px_sink sink = {.s = r->backend->s};
    struct mover m = {&r->up, NULL, c->s, &sink, r->chunk_up, &r->bytes_up, r->body_max};
    uint64_t before = r->bytes_up;
    enum moved did = MOVED_MORE;

    if (!owe_continue(r))
        return true;
    while (did == MOVED_MORE && r->bytes_up - before < PX_TURN_B) {
        m.buf = px_kept(c);
        did = move(&m);
    }
    px_sink_end(&sink);
    if (r->bytes_up != before) {
        r->up_begun = true;
        ctr_add(&r->px->ctr[PX_CTR_BYTES_UP], r->bytes_up - before);
    }
    switch (did) {
    case MOVED_DONE:
        r->up_done = true;
        r->up_begun = true;
        return true;
    case MOVED_MORE:
        px_client_poke(c);
        return true;
    case MOVED_FULL:
        return true;
    case MOVED_EMPTY:
        if (!stream_at_eof(c->s))
            return true;
        px_req_client_gone(r, "request_truncated");
        return false;
    case MOVED_TOO_LARGE:
        px_req_answer(r, 413, "body_too_large");
        return false;
    case MOVED_BAD:
        break;
    }
    px_req_answer(r, 400, "bad_chunk");
    return false;
}

/* The end of the connection is the end of this body, when it is an honest one. */
static enum px_down at_close(struct px_req *r, bool eof)
{
    struct stream *s = r->backend->s;

    if (!eof && !stream_at_eof(s))
        return PX_DOWN_MORE;
    if (r->down.framing != H1_UNTIL_CLOSE || !stream_at_eof(s) ||
        (tls_stream_is(s) && tls_stream_truncated(s)))
        return PX_DOWN_BAD;
    if (r->chunk_down) {
        if (stream_tx_space(r->client->s) < LAST_CHUNK_B)
            return PX_DOWN_MORE;
        (void)stream_write(r->client->s, SPAN_LIT("0\r\n\r\n"));
    }
    return PX_DOWN_DONE;
}

enum px_down px_body_down(struct px_req *r, struct px_sink *to, bool eof)
{
    struct px_backend *b = r->backend;
    struct mover m = {&r->down, b->in, b->s, to, r->chunk_down, &r->bytes_down, UINT64_MAX};
    uint64_t before = r->bytes_down;
    enum moved did = MOVED_MORE;

    while (did == MOVED_MORE && r->bytes_down - before < PX_TURN_B)
        did = move(&m);
    px_sink_end(to);
    ctr_add(&r->px->ctr[PX_CTR_BYTES_DOWN], r->bytes_down - before);
    if (b->in && b->in->from == b->in->to)
        px_buf_put(r->px, &b->in);
    switch (did) {
    case MOVED_DONE:
        return PX_DOWN_DONE;
    case MOVED_BAD:
    case MOVED_TOO_LARGE:
        return PX_DOWN_BAD;
    case MOVED_MORE:
        stream_again(b->s);
        return PX_DOWN_MORE;
    case MOVED_FULL:
        return PX_DOWN_MORE;
    case MOVED_EMPTY:
        break;
    }
    return at_close(r, eof);
}
