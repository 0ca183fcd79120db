#include "proxy/internal.h"

/* An interim response goes through to whoever can take it (RFC 9110 15.2). */
static bool forward_interim(struct px_req *r, const struct h1_head *h)
{
    struct span head;

    if (h->status == 101) /* no upgrade was asked for: the request had no Upgrade left */
        return false;
    if (h->status == 100 || r->minor == 0)
        return true;
    head = px_head_down(r, h);
    if (head.len == 0 || !stream_write(r->client->s, head))
        return true; /* it may be dropped */
    px_count(r->px, PX_CTR_STATUS_1XX);
    return true;
}

static void choose_framing(struct px_req *r, struct px_backend *b, const struct h1_head *h)
{
    bool until_close = h->framing == H1_UNTIL_CLOSE;

    b->keep = h->keep_alive && !until_close;
    h1_body_begin(&r->down, h);
    r->chunk_down = (h->framing == H1_CHUNKED || until_close) && r->minor >= 1;
    if ((h->framing == H1_CHUNKED || until_close) && r->minor == 0)
        r->close =
            true; /* HTTP/1.0 knows the end of such a body only by the end of the connection */
    if (!r->up_done || r->client->last || r->px->draining)
        r->close = true;
}

enum heads { HEADS_DONE, HEADS_WAIT, HEADS_GONE };

/* Read response heads until the final one has been forwarded. */
static enum heads read_heads(struct px_backend *b, struct px_sink *to, bool eof)
{
    struct px_req *r = b->req;
    struct px *px = b->px;
    const struct snap_limits *l = &r->snap->limits;
    struct h1_limits lim = {l->line_b, PX_BUF_B, H1_HEADERS_MAX, PX_BUF_B};

    for (;;) {
        struct span in, head;
        const char *why = "";
        uint32_t used;

        if (px_fill(b->in, b->s))
            b->got_bytes = true;
        in = span_of(b->in->p + b->in->from, b->in->to - b->in->from);
        px->head_of = NULL;
        switch (
            h1_response(in, &lim, (enum h1_method)r->method, &b->scanned, &px->head, &used, &why)) {
        case H1_BAD:
            px_count(px, PX_CTR_BACKEND_BAD_RESPONSE);
            px_backend_failed(b, 502, why, true);
            return HEADS_GONE;
        case H1_MORE:
            if (b->in->to == PX_BUF_B)
                px_backend_failed(b, 502, "response_head_too_large", true);
            else if (eof || stream_at_eof(b->s))
                px_backend_failed(b, 502, "backend_closed", !b->got_bytes);
            else
                return HEADS_WAIT;
            return HEADS_GONE;
        case H1_DONE:
            break;
        }
        if (px->head.status < 200) {
            if (!forward_interim(r, &px->head)) {
                px_count(px, PX_CTR_BACKEND_BAD_RESPONSE);
                px_backend_failed(b, 502, "unasked_upgrade", true);
                return HEADS_GONE;
            }
            b->in->from += used;
            b->scanned = 0;
            continue;
        }
        choose_framing(r, b, &px->head);
        head = px_head_down(r, &px->head);
        if (head.len == 0) {
            px_backend_failed(b, 502, "response_head_too_large", true);
            return HEADS_GONE;
        }
        if (!px_sink_head(to, head)) {
            b->scanned = 0;
            return HEADS_WAIT;
        }
        r->status = px->head.status;
        r->state = PX_RQ_RESPONSE;
        r->head_down_b += (uint32_t)head.len;
        px_access_response(r, &px->head);
        b->in->from += used;
        b->head_done = true;
        return HEADS_DONE;
    }
}

/* The response is out whole: the connection may serve the next one. */
static void complete(struct px_backend *b)
{
    struct px_req *r = b->req;

    r->down_done = true;
    px_backend_done(b);
    px_req_end(r);
}

void px_response_run(struct px_backend *b)
{
    struct px_req *r = b->req;
    struct px_sink sink = {.s = r->client->s}; /* head and body go into one record when they can */
    bool eof = stream_why(b->s) != STREAM_WHY_NONE; /* what is there was the last of it */

    if (!b->head_done) {
        if (!b->in && stream_readable(b->s) == 0 && !eof && !stream_at_eof(b->s))
            return;
        if (!b->in) {
            b->in = px_buf_get(b->px);
            if (!b->in) {
                if (eof)
                    px_backend_failed(b, 502, "backend_closed", false);
                else
                    stream_again(b->s);
                return;
            }
        }
        if (read_heads(b, &sink, eof) != HEADS_DONE)
            return;
    }
    switch (px_body_down(r, &sink, eof)) {
    case PX_DOWN_MORE:
        return;
    case PX_DOWN_DONE:
        complete(b);
        return;
    case PX_DOWN_BAD:
        px_count(b->px, PX_CTR_ABORTED_BY_BACKEND);
        px_req_break(r, "response_broken");
        return;
    }
}
