#include "http/h1.h"
#include "http/scan.h"

/* Methods, header fields and statuses by their names. */

const char *h1_method_name(enum h1_method m)
{
    static const char *const names[] = {"",       "GET",     "HEAD",  "POST",  "PUT",
                                        "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};

    return names[m];
}

/* clang-format off */
static const struct {
    const char *text;
    uint8_t len;
} known[H1_NAME_COUNT] = {
    [H1_NAME_OTHER] = {"", 0},
#define X(sym, text) [H1_NAME_##sym] = {text, sizeof(text) - 1},
    H1_KNOWN(X)
#undef X
};
/* clang-format on */

/* By length first: most names differ there already. */
enum h1_name h1_name_of(struct span name)
{
    for (int i = 1; i < H1_NAME_COUNT; i++) {
        if (known[i].len == name.len && ascii_lower(name.p[0]) == (uint8_t)known[i].text[0] &&
            span_ieq(name, span_of(known[i].text, known[i].len)))
            return (enum h1_name)i;
    }
    return H1_NAME_OTHER;
}

const struct h1_header *h1_find(const struct h1_head *h, enum h1_name id)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (h->headers[i].id == id)
            return &h->headers[i];
    }
    return NULL;
}

const struct h1_header *h1_find_name(const struct h1_head *h, struct span name)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (span_ieq(h->headers[i].name, name))
            return &h->headers[i];
    }
    return NULL;
}

/* clang-format off */
const char *h1_reason(uint16_t status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 495: return "SSL Certificate Error";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
    }
}
/* clang-format on */
