#include "base/bytes.h"
#include "proxy/internal.h"

/* What a person or a program can do about it; by reason, else by status. */
static const char *advice(uint16_t status)
{
    switch (status) {
    case 400:
        return "The request is malformed.";
    case 403:
        return "Access needs a client certificate that is accepted here.";
    case 404:
        return "There is nothing at this address.";
    case 405:
        return "The method is not allowed here.";
    case 408:
        return "The request did not arrive in time.";
    case 413:
        return "The request body is larger than is accepted here.";
    case 414:
        return "The request line is longer than is accepted here.";
    case 421:
        return "This connection was made for another host name. Open a new one.";
    case 431:
        return "The request header is larger than is accepted here.";
    case 501:
        return "This is not implemented.";
    case 502:
        return "The service behind this gateway gave no valid answer.";
    case 503:
        return "The service behind this gateway is not available. Try again later.";
    case 504:
        return "The service behind this gateway did not answer in time.";
    case 505:
        return "Only HTTP/1.0 and HTTP/1.1 are spoken here.";
    default:
        return "";
    }
}

static void put_head(struct sb *s, struct px *px, uint16_t status, const char *type, size_t len,
                     bool close)
{
    sb_str(s, "HTTP/1.1 ");
    sb_u64(s, status);
    sb_char(s, ' ');
    sb_str(s, h1_reason(status));
    sb_str(s, "\r\nDate: ");
    sb_str(s, px_date(px));
    if (status != 204 && status != 304) {
        sb_str(s, "\r\nContent-Type: ");
        sb_str(s, type);
        sb_str(s, "\r\nContent-Length: ");
        sb_u64(s, len);
    }
    if (status == 405)
        sb_str(s, "\r\nAllow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
    if (status == 503)
        sb_str(s, "\r\nRetry-After: 5");
    if (close)
        sb_str(s, "\r\nConnection: close");
}

static void ref_text(struct sb *s, uint64_t ref)
{
    uint8_t b[8];

    put_u32(b, (uint32_t)(ref >> 32));
    put_u32(b + 4, (uint32_t)ref);
    sb_hex(s, span_of(b, 8));
}

static void body_html(struct sb *s, uint16_t status, const char *reason, const char *ref)
{
    const char *title = h1_reason(status);

    sb_str(s, "<!DOCTYPE html>\n<html><head><title>");
    sb_u64(s, status);
    sb_char(s, ' ');
    sb_str(s, title);
    sb_str(s, "</title></head>\n<body><h1>");
    sb_u64(s, status);
    sb_char(s, ' ');
    sb_str(s, title);
    sb_str(s, "</h1>\n<p>");
    sb_str(s, advice(status));
    sb_str(s, "</p>\n<p>Reason: ");
    sb_str(s, reason);
    sb_str(s, "<br>Reference: ");
    sb_str(s, ref);
    sb_str(s, "</p></body></html>\n");
}

/* RFC 9457 */
static void body_json(struct sb *s, uint16_t status, const char *reason, const char *ref)
{
    sb_str(s, "{\"title\":");
    sb_json(s, span_str(h1_reason(status)));
    sb_str(s, ",\"status\":");
    sb_u64(s, status);
    sb_str(s, ",\"detail\":");
    sb_json(s, span_str(advice(status)));
    sb_str(s, ",\"code\":");
    sb_json(s, span_str(reason));
    sb_str(s, ",\"ref\":");
    sb_json(s, span_str(ref));
    sb_str(s, "}\n");
}

struct span px_page(struct px *px, const struct px_req *r, uint16_t status, const char *reason,
                    bool json, bool head_only, bool close)
{
    char body_text[2048], ref[20];
    struct sb body = sb_of(body_text, sizeof(body_text)), ref_s = sb_of(ref, sizeof(ref));
    struct sb s = sb_of((char *)px->out, PX_HEAD_OUT_B);

    ref_text(&ref_s, r->ref);
    if (json)
        body_json(&body, status, reason ? reason : "", ref);
    else
        body_html(&body, status, reason ? reason : "", ref);
    put_head(&s, px, status, json ? "application/problem+json" : "text/html; charset=utf-8",
             body.len, close);
    sb_str(&s, "\r\nX-Sallyport-Ref: ");
    sb_str(&s, ref);
    sb_str(&s, "\r\nCache-Control: no-store\r\n\r\n");
    if (!head_only)
        sb_put(&s, sb_span(&body));
    return sb_span(&s);
}

struct span px_page_fixed(struct px *px, const struct snap_location *l, bool head_only, bool close)
{
    struct sb s = sb_of((char *)px->out, PX_HEAD_OUT_B);

    put_head(&s, px, l->respond_status, (const char *)l->respond_type.p, l->respond_body.len,
             close);
    sb_str(&s, "\r\n\r\n");
    if (!head_only && l->respond_status != 204 && l->respond_status != 304)
        sb_put(&s, l->respond_body);
    return sb_span(&s);
}
