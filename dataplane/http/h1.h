/**
 * h1: HTTP/1.1 messages (RFC 9112, RFC 9110). Pure: bytes in, tokens out; owns no connection, no
 * memory, no time. Strict: whatever two implementations could read in two ways is refused, because
 * that is what request smuggling is made of.
 *
 * Refused with 400: bare CR or LF in the head, obs-fold, space before a colon, NUL or control
 * characters, Content-Length together with Transfer-Encoding, differing or malformed Content-Lengths,
 * a Transfer-Encoding that does not end in exactly one chunked (501 when the last coding is unknown),
 * none or several Host, a malformed Host, an absolute-form target that contradicts Host, a request line
 * that is not exactly three parts. HTTP versions: 1.0 and 1.1 (505 for others).
 */
#ifndef SALLYPORT_HTTP_H1_H
#define SALLYPORT_HTTP_H1_H

#include "base/res.h"
#include "base/span.h"

#define H1_HEADERS_MAX 128

/* Headers the proxy looks at; the parser says which one a field is, so nobody compares names again. */
/* clang-format off */
#define H1_KNOWN(X) \
    X(CONNECTION, "connection") \
    X(CONTENT_LENGTH, "content-length") \
    X(CONTENT_TYPE, "content-type") \
    X(COOKIE, "cookie") \
    X(DATE, "date") \
    X(EXPECT, "expect") \
    X(HOST, "host") \
    X(KEEP_ALIVE, "keep-alive") \
    X(LOCATION, "location") \
    X(PROXY_AUTHENTICATE, "proxy-authenticate") \
    X(PROXY_AUTHORIZATION, "proxy-authorization") \
    X(PROXY_CONNECTION, "proxy-connection") \
    X(REFERER, "referer") \
    X(SERVER, "server") \
    X(TE, "te") \
    X(TRAILER, "trailer") \
    X(TRANSFER_ENCODING, "transfer-encoding") \
    X(UPGRADE, "upgrade") \
    X(USER_AGENT, "user-agent") \
    X(VIA, "via") \
    X(X_FORWARDED_FOR, "x-forwarded-for") \
    X(X_FORWARDED_HOST, "x-forwarded-host") \
    X(X_FORWARDED_PROTO, "x-forwarded-proto") \
    X(X_FORWARDED_PORT, "x-forwarded-port") \
    X(FORWARDED, "forwarded") \
    X(AUTHORIZATION, "authorization") \
    X(SET_COOKIE, "set-cookie")
/* clang-format on */

enum h1_name {
    H1_NAME_OTHER,
#define X(sym, text) H1_NAME_##sym,
    H1_KNOWN(X)
#undef X
        H1_NAME_COUNT,
};

struct h1_header {
    struct span name, value; /* value without surrounding OWS */
    enum h1_name id;
    bool hop; /* hop-by-hop: not forwarded (RFC 9110 7.6.1), named by Connection or by itself */
};

enum h1_method {
    H1_OTHER,
    H1_GET,
    H1_HEAD,
    H1_POST,
    H1_PUT,
    H1_DELETE,
    H1_OPTIONS,
    H1_PATCH,
    H1_TRACE,
    H1_CONNECT
};

/* How the length of a body is told (RFC 9112 6.3). */
enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_limits {
    uint32_t line_max;    /* request line (414) */
    uint32_t head_max;    /* whole head (431) */
    uint32_t headers_max; /* fields (431), <= H1_HEADERS_MAX */
    uint32_t field_max;   /* one field line (431) */
};

/* A parsed head: spans into the bytes given. */
struct h1_head {
    enum h1_method method;
    struct span method_text;
    struct span target;      /* as it stands */
    struct span path, query; /* raw; query without '?'; has_query tells "/x?" from "/x" */
    struct span authority;   /* Host, or of an absolute-form target, which overrides it */
    struct span host;        /* authority without port, brackets kept */
    uint16_t port;           /* 0: none given */
    bool has_query;
    uint16_t status; /* responses */
    struct span reason;
    uint8_t minor;   /* HTTP/1.minor */
    bool keep_alive; /* as version and Connection say */
    bool expect_continue;
    bool upgrade; /* Connection: upgrade with an Upgrade field */
    enum h1_framing framing;
    uint64_t content_length; /* H1_LENGTH */
    uint32_t count;
    struct h1_header headers[H1_HEADERS_MAX];
};

enum h1_result {
    H1_DONE, /* head complete, *used bytes long */
    H1_MORE, /* not yet all there */
    H1_BAD,  /* refused: answer *status and close; *why is a literal for the log */
};

/**
 * Parse a request head from the beginning of `in`. Empty lines in front are skipped (RFC 9112 2.2), at
 * most 4. Called again from the start when more has come; *scanned (0 at first) remembers how far the
 * search for the end went, so that repeated calls cost O(length) in all.
 * Bound  O(length), no allocation
 */
enum h1_result h1_request(struct span in, const struct h1_limits *lim, uint32_t *scanned,
                          struct h1_head *out, uint32_t *used, uint16_t *status, const char **why);

/**
 * Parse a response head. `method` is that of the request it answers: HEAD and 2xx to CONNECT have no
 * body, nor have 1xx, 204 and 304 (RFC 9112 6.3).
 */
enum h1_result h1_response(struct span in, const struct h1_limits *lim, enum h1_method method,
                           uint32_t *scanned, struct h1_head *out, uint32_t *used,
                           const char **why);

/* The first header of this name, or NULL. */
const struct h1_header *h1_find(const struct h1_head *h, enum h1_name id);
const struct h1_header *h1_find_name(const struct h1_head *h, struct span name);
enum h1_name h1_name_of(struct span name);

/**
 * The body of a message, piece by piece. For chunked bodies the decoder walks over chunk headers,
 * extensions (bounded) and trailers (bounded, dropped), and gives the data in between.
 */
struct h1_body {
    enum h1_framing framing;
    uint8_t state;
    uint8_t digits;
    uint16_t line_b; /* bytes of the present chunk line or of all trailers */
    uint64_t left;   /* of the body (H1_LENGTH) or of the present chunk */
    bool done;
};

void h1_body_begin(struct h1_body *b, const struct h1_head *h);

/**
 * Look at `in`: *skip bytes of framing come first, then *data bytes of body. Both may be 0 with
 * H1_MORE. After the caller has used up some data it says so with h1_body_take.
 * Returns  H1_MORE, H1_DONE (body complete; *skip bytes still belong to it), H1_BAD, and then nothing else any more
 */
enum h1_result h1_body_next(struct h1_body *b, struct span in, uint32_t *skip, uint64_t *data);
void h1_body_take(struct h1_body *b, uint64_t n);

/**
 * Canonical form of a path, for matching: percent-encoded characters that may as well stand plain decoded,
 * "." and ".." resolved, "//" merged, parameters (";a=b") cut off (RFC 3986 3.3, 6.2.2). What is ambiguous is
 * refused: %00, %2f, %5c, '\', bad escapes, ".." above the root, bytes >= 0x80 and controls unescaped.
 * Returns  the length written to out (<= path.len), or -1 with *why
 */
int h1_path_canonical(struct span path, char *out, size_t cap, const char **why);

/* Is one of its segments "." or "..", escaped or not? Servers resolve them in different ways, or not at all. */
bool h1_path_has_dots(struct span path);

/* Is `host` (without port) a well-formed reg-name, IPv4 or [IPv6] (RFC 3986 3.2.2, with DNS characters
 * only)? */
bool h1_host_ok(struct span host);

const char *h1_reason(uint16_t status); /* "Not Found"; "" when unknown */
const char *h1_method_name(enum h1_method m);

#endif
