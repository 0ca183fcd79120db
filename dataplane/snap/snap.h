/**
 * snap: the immutable snapshot that cores read: listeners, virtual hosts, locations, trust, upstreams,
 * limits. Its number is the generation. Built and validated by control/, published by pointer,
 * adopted by each core between two bursts, freed by control/ after the grace period and the last
 * reference.
 *
 * Everything a core may change lives elsewhere (proxy/): a member's pool and health are kept by `slot`,
 * a number that control/ gives to (address, TLS settings) and keeps as long as any snapshot names it,
 * so that they survive generations.
 */
#ifndef SALLYPORT_SNAP_SNAP_H
#define SALLYPORT_SNAP_SNAP_H

#include "base/ip.h"
#include "base/log.h"
#include "base/view.h"
#include "crypto/ticket.h"
#include "crypto/tls_ctx.h"
#include "crypto/trust.h"

#define SNAP_CORES_MAX   64
#define SNAP_SLOTS_MAX   1024 /* members of all upstreams of all generations alive */
#define SNAP_MEMBERS_MAX 64   /* of one upstream */
#define SNAP_NONE        UINT32_MAX

/* What a host asks of its clients' certificates; a location may only read the result differently. */
enum snap_cert_mode {
    SNAP_CERT_NONE,     /* this host as such needs none; asked for when a location does */
    SNAP_CERT_OPTIONAL, /* good or none */
    SNAP_CERT_REQUIRE,
    SNAP_CERT_REQUEST, /* taken, not trusted (Apache: optional_no_ca) */
};

/* What becomes of a bad certificate, and of a missing one. */
enum snap_refusal {
    SNAP_REFUSE_HTTP, /* the handshake ends well, requests get 403 with the reason */
    SNAP_REFUSE_TLS,  /* alert */
    SNAP_AS_NONE,     /* a bad certificate counts as none */
};

struct snap_client_cert {
    enum snap_cert_mode mode;
    enum snap_refusal on_bad, on_missing; /* on_missing: HTTP or TLS */
    uint32_t trust;                       /* index into snap.trusts, SNAP_NONE: no trust at all */
    int max_depth;                        /* Apache's counting; -1: no limit of ours */
    bool asked; /* CertificateRequest is sent: this mode or a location's asks for it */
    bool late;  /* of clients that can be asked later: when a request needs it */
};

enum snap_location_kind { SNAP_LOC_PREFIX, SNAP_LOC_EXACT };

/* A header for the backend. Without any value it is left out; what the client sends by this name never arrives. */
struct snap_header {
    struct span name;
    struct view_text value;
};

/* The view's value must be among `is`; with `except`: must not. */
struct snap_rule {
    struct view view;
    struct span *is;
    uint32_t is_count;
    bool except;
};

struct snap_location {
    struct span path; /* canonical; a prefix matches whole segments: "/a" is not "/ab" */
    enum snap_location_kind kind;
    uint32_t upstream;       /* index, SNAP_NONE: answered here */
    uint16_t respond_status; /* with upstream == SNAP_NONE */
    struct span respond_body, respond_type;
    bool require_cert;
    struct snap_client_cert cert; /* of the host, with what the location says instead */
    uint64_t body_max;            /* 413 beyond; UINT64_MAX: no limit */
    bool host_preserve;           /* Host as the client sent it; else the member's */
    struct snap_header *headers;
    uint32_t header_count;
    struct snap_rule *rules; /* all must hold: 403 */
    uint32_t rule_count;
};

struct snap_host {
    uint32_t id; /* index in snap.hosts */
    struct span name;
    struct span *names; /* name and aliases, lower case; "*.example" one label */
    uint32_t name_count;
    struct snap_client_cert cert;
    struct snap_location *locations; /* longest prefix first; exact ones in front */
    uint32_t location_count;
    struct tls_profile *tls; /* certificates and settings; NULL: plain HTTP only */
    uint64_t ticket_id;      /* a ticket of another one means a full handshake */
    uint64_t policy_id; /* equal ids: same client-certificate policy (421 across different ones) */
};

struct snap_listener {
    struct endpoint local; /* address may be "any" */
    bool tls;
    uint32_t default_host;
    bool sni_required; /* unknown or missing server name: alert unrecognized_name (112) */
};

enum snap_balance { SNAP_ROUND_ROBIN, SNAP_LEAST_CONN };

struct snap_member {
    struct endpoint remote;
    struct span name;     /* as configured, for logs */
    struct span host;     /* Host header and TLS name when not preserved: "name[:port]" */
    struct span tls_name; /* SNI and name that its certificate must carry */
    struct span route;    /* what a sticky session names after its first '.'; empty: none */
    uint32_t weight;      /* 1..1000; 0: only when nobody else is left */
    uint32_t retry_ms;    /* out of turn for so long after a failure; 0: never out */
    uint32_t slot;
};

struct snap_upstream {
    struct span name;
    enum snap_balance balance;
    struct span sticky_cookie; /* empty: not sticky */
    struct snap_member *members;
    uint32_t member_count;
    struct tls_profile *tls; /* NULL: plain HTTP */
    uint32_t trust;          /* for the members' certificates */
    bool verify, verify_name;
    uint32_t idle_max;  /* idle connections kept per member and core */
    uint32_t conns_max; /* connections per member and core */
    uint32_t connect_ms, response_ms, idle_ms;
    uint32_t tries; /* members tried for one request, the first included */
};

struct snap_limits {
    uint32_t line_b, head_b, headers, field_b; /* requests; the same bounds for responses */
    uint32_t late_body_b; /* taken in while a client answers the question for its certificate */
    uint32_t requests_per_conn; /* 0: no limit */
    uint32_t conns;             /* client connections per core; more are refused */
};

struct snap_timeouts {
    uint32_t handshake_ms; /* TCP established to TLS done */
    uint32_t header_ms;    /* first byte of a request to the end of its head (408) */
    uint32_t body_ms;      /* between two reads of a request body (408) */
    uint32_t keepalive_ms; /* between requests */
    uint32_t send_ms;      /* no progress of a response */
};

/* What the access log wants from a request; nothing else is copied. */
#define SNAP_CAPTURE_MAX 32

struct snap_capture {
    struct span request_headers[SNAP_CAPTURE_MAX]; /* lower case names */
    uint32_t request_header_count;
    struct span response_headers[SNAP_CAPTURE_MAX];
    uint32_t response_header_count;
    const struct view *views;
    uint32_t view_count;
};

struct snap_trust {
    struct trust *trust;
    struct span name;
    uint64_t key; /* of the name: the same set in another generation. Never 0 */
};

struct snap;

/* One slot per name: {hash, host}; open addressing, size a power of two. */
struct snap_name {
    uint64_t hash;
    uint32_t host;
    struct span name;
};

struct snap {
    uint64_t gen;
    uint64_t published_ns;         /* by the cores' clock */
    struct ticket_set ticket_keys; /* Secret. None: each process has its own */
    uint32_t cores;                /* how many contexts each tls_profile has */
    struct snap_listener *listeners;
    uint32_t listener_count;
    struct snap_host *hosts;
    uint32_t host_count;
    struct snap_name *names; /* exact names and, with the star cut off, wildcards (".example") */
    uint32_t name_mask;
    uint64_t *set_names; /* hashes of all header names that locations set, folded; 0: free */
    uint32_t set_name_mask;
    struct snap_upstream *upstreams;
    uint32_t upstream_count;
    struct snap_trust *trusts;
    uint32_t trust_count;
    struct snap_limits limits;
    struct snap_timeouts timeouts;
    struct snap_capture capture;
    enum log_level log_level;
    uint16_t min_rsa_bits;
    bool ja4;           /* a header, a rule or the log asks for it: made of each ClientHello */
    bool server_header; /* leave the backend's Server as it is; else it is removed */

    /* References by requests in progress, one counter per core, on lines of their own. */
    struct snap_refs {
        _Alignas(64) uint32_t n;
    } refs[SNAP_CORES_MAX];
};

/* Lower-case name -> hash, as snap.names are hashed. */
uint64_t snap_name_hash(struct span lower);

/**
 * Control: enter a name into snap.names, whose size is a power of two above twice the number of names.
 * "*.example" is entered as ".example". Borrows the text as long as the snapshot lives.
 */
void snap_name_put(struct snap *s, struct span lower, uint32_t host);

/**
 * Header names that a backend may take for the same have the same hash: case does not count, and '_' is '-'
 * to whoever makes CGI variables of them. Never 0.
 */
uint64_t snap_header_hash(struct span name);
/* Control: size of set_names is a power of two above twice the number of names. */
void snap_header_put(struct snap *s, struct span name);
/* Does any location set this header? Then no client may. */
bool snap_header_is_set(const struct snap *s, struct span name);

/* Whom certificates must come from; SNAP_NONE: no trust set is named, NULL. */
static inline const struct trust *snap_trust_at(const struct snap *s, uint32_t index)
{
    return index == SNAP_NONE ? NULL : s->trusts[index].trust;
}

/* The host for a server name (any case, without port): exact, then wildcard; SNAP_NONE. */
uint32_t snap_host_by_name(const struct snap *s, struct span name);

/* The listener for a local address and port: exact address before "any". NULL: none. */
const struct snap_listener *snap_listener_for(const struct snap *s, const struct endpoint *local);

/* The location for a canonical path: exact, then the longest prefix. NULL: none (404). */
const struct snap_location *snap_location_for(const struct snap_host *h, struct span path);

static inline void snap_hold(struct snap *s, unsigned core)
{
    __atomic_store_n(&s->refs[core].n, s->refs[core].n + 1, __ATOMIC_RELEASE);
}

static inline void snap_drop(struct snap *s, unsigned core)
{
    __atomic_store_n(&s->refs[core].n, s->refs[core].n - 1, __ATOMIC_RELEASE);
}

/* Control: references held by requests on all cores. */
uint32_t snap_held(const struct snap *s);

#endif
