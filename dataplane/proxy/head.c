#include "base/bytes.h"
#include "proxy/internal.h"

/**
 * Names that say who the client is are ours alone to set, in any spelling that a backend may take for
 * them: "X_SSL_Client_Verify" is X-SSL-Client-Verify to whoever makes CGI variables of headers.
 */
static bool folds_to(struct span name, const char *prefix)
{
    size_t i = 0;

    for (; prefix[i]; i++) {
        uint8_t ch = i < name.len ? ascii_lower(name.p[i]) : 0;

        if ((ch == '_' ? '-' : ch) != (uint8_t)prefix[i])
            return false;
    }
    return true;
}

static void put(struct wr *w, const char *text)
{
    wr_bytes(w, span_str(text));
}

static void field(struct wr *w, const char *name, struct span value)
{
    put(w, name);
    put(w, ": ");
    wr_bytes(w, value);
    put(w, "\r\n");
}

/* A text of a certificate as a header value: what could end the line is made a space, as Apache does. */
static void put_text(struct wr *w, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        wr_u8(w, text.p[i] >= 0x20 && text.p[i] != 0x7f ? text.p[i] : ' ');
}

static void field_view(struct wr *w, const char *name, struct px_req *r, const struct view *v)
{
    put(w, name);
    put(w, ": ");
    put_text(w, px_view(r, v, r->peer));
    put(w, "\r\n");
}

static void put_u64(struct wr *w, uint64_t v)
{
    char text[24];
    struct sb s = sb_of(text, sizeof(text));

    sb_u64(&s, v);
    wr_bytes(w, sb_span(&s));
}

/* What the backend may believe about the client. */
static void put_client(struct wr *w, struct px_req *r, const struct h1_head *h)
{
    const struct px_client *c = r->client;
    char text[IP_TEXT_MAX];
    struct sb ip = sb_of(text, sizeof(text));

    ip_text(&ip, &c->remote.addr);
    field(w, "X-Forwarded-For", sb_span(&ip));
    field(w, "X-Forwarded-Proto", span_str(c->tls ? "https" : "http"));
    field(w, "X-Forwarded-Host", h->authority);
    put(w, "X-Forwarded-Port: ");
    put_u64(w, c->local.port);
    put(w, "\r\nX-SSL-Client-Verify: ");
    put(w, r->verify);
    if (r->verify_why) {
        put(w, ":");
        put(w, r->verify_why);
    }
    put(w, "\r\n");
    if (!r->peer)
        return;
    field_view(w, "X-SSL-Client-S-DN", r, &r->px->s_dn);
    field_view(w, "X-SSL-Client-I-DN", r, &r->px->i_dn);
    field_view(w, "X-SSL-Client-Serial", r, &r->px->serial);
}

/* A header that the location sets. Without any value in it it is left out. */
static void put_set(struct wr *w, struct px_req *r, const struct snap_header *f)
{
    struct wr before = *w;
    bool any = f->value.count == 0;

    wr_bytes(w, f->name);
    put(w, ": ");
    for (uint32_t i = 0; i < f->value.count; i++) {
        const struct view_part *part = &f->value.parts[i];
        struct span text = part->view ? px_view(r, part->view, r->peer) : part->text;

        any |= text.len > 0 && (part->view || f->value.count == 1);
        put_text(w, text);
    }
    put(w, "\r\n");
    if (!any && wr_ok(w))
        *w = before;
}

/* Headers that we write ourselves, or that end here. */
static bool goes_up(const struct px_req *r, const struct h1_header *f)
{
    static const bool ours[H1_NAME_COUNT] = {
        [H1_NAME_HOST] = true,
        [H1_NAME_CONTENT_LENGTH] = true,
        [H1_NAME_TRANSFER_ENCODING] = true,
        [H1_NAME_EXPECT] = true,
        [H1_NAME_TRAILER] = true,
        [H1_NAME_FORWARDED] = true,
    };

    return !ours[f->id] && !f->hop && !folds_to(f->name, "x-ssl-") &&
           !folds_to(f->name, "x-forwarded-") && !snap_header_is_set(r->snap, f->name);
}

static void put_fields(struct wr *w, const struct h1_header *f)
{
    wr_bytes(w, f->name);
    put(w, ": ");
    wr_bytes(w, f->value);
    put(w, "\r\n");
}

/**
 * The path as it came, unless it has dot segments. RFC 3986 makes "/a/b" of "/a//../b", others "/b", and some leave
 * ".." alone: only with them resolved does the backend look at what the policy looked at.
 */
static void put_path(struct wr *w, struct span path)
{
    const char *why;
    int n;

    if (path.len == 0) {
        put(w, "/");
    } else if (!h1_path_has_dots(path)) {
        wr_bytes(w, path);
    } else {
        n = h1_path_canonical(path, (char *)w->p, wr_left(w), &why);
        w->bad = w->bad || n < 0; /* the policy could read it, so no room it is */
        (void)wr_room(w, n > 0 ? (size_t)n : 0);
    }
}

struct span px_head_up(struct px_req *r, const struct h1_head *h)
{
    struct wr w = wr_of(r->px->out, PX_HEAD_OUT_B);
    const struct snap_member *m = &r->upstream->members[r->member];

    wr_bytes(&w, h->method_text);
    put(&w, " ");
    put_path(&w, h->path);
    if (h->has_query) {
        put(&w, "?");
        wr_bytes(&w, h->query);
    }
    put(&w, " HTTP/1.1\r\n");
    field(&w, "Host", r->location->host_preserve && h->authority.len ? h->authority : m->host);
    for (uint32_t i = 0; i < h->count; i++) {
        if (goes_up(r, &h->headers[i]))
            put_fields(&w, &h->headers[i]);
    }
    put_client(&w, r, h);
    for (uint32_t i = 0; i < r->location->header_count; i++)
        put_set(&w, r, &r->location->headers[i]);
    put(&w, h->minor ? "Via: 1.1 sallyport\r\n" : "Via: 1.0 sallyport\r\n");
    if (h->framing == H1_CHUNKED) {
        put(&w, "Transfer-Encoding: chunked\r\n");
    } else if (h->framing == H1_LENGTH) {
        put(&w, "Content-Length: ");
        put_u64(&w, h->content_length);
        put(&w, "\r\n");
    }
    put(&w, "\r\n");
    return wr_ok(&w) ? wr_span(&w) : SPAN_NONE;
}

static bool goes_down(const struct px_req *r, const struct h1_header *f)
{
    static const bool ours[H1_NAME_COUNT] = {
        [H1_NAME_CONTENT_LENGTH] = true,
        [H1_NAME_TRANSFER_ENCODING] = true,
        [H1_NAME_TRAILER] = true,
    };

    if (f->id == H1_NAME_SERVER)
        return r->snap->server_header;
    return !ours[f->id] && !f->hop;
}

/* How the client is told where the body ends. The length is passed on for HEAD and 304 too. */
static void put_framing(struct wr *w, const struct px_req *r, const struct h1_head *h)
{
    const struct h1_header *length = h1_find(h, H1_NAME_CONTENT_LENGTH);

    if (h->framing == H1_LENGTH) {
        put(w, "Content-Length: ");
        put_u64(w, h->content_length);
        put(w, "\r\n");
    } else if (r->chunk_down) {
        put(w, "Transfer-Encoding: chunked\r\n");
    } else if (h->framing == H1_NO_BODY && length && h->status != 204) {
        put(w, "Content-Length: ");
        put_u64(w, h->content_length);
        put(w, "\r\n");
    }
}

struct span px_head_down(struct px_req *r, const struct h1_head *h)
{
    struct wr w = wr_of(r->px->out, PX_HEAD_OUT_B);
    bool final = h->status >= 200;

    put(&w, "HTTP/1.1 ");
    put_u64(&w, h->status);
    put(&w, " ");
    if (h->reason.len)
        wr_bytes(&w, h->reason);
    else
        put(&w, h1_reason(h->status));
    put(&w, "\r\n");
    for (uint32_t i = 0; i < h->count; i++) {
        if (goes_down(r, &h->headers[i]))
            put_fields(&w, &h->headers[i]);
    }
    if (final) {
        put_framing(&w, r, h);
        if (!h1_find(h, H1_NAME_DATE))
            field(&w, "Date", span_str(px_date(r->px)));
        if (r->close)
            put(&w, "Connection: close\r\n");
        else if (r->minor == 0)
            put(&w, "Connection: keep-alive\r\n");
    }
    put(&w, "\r\n");
    return wr_ok(&w) ? wr_span(&w) : SPAN_NONE;
}
