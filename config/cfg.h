/**
 * cfg: the configuration file as typed, checked, immutable structures.
 *
 * Keys, defaults and bounds come from cfg_keys.def. Every group knows where in the file it and its
 * keys stand, so that whoever finds something wrong later can still say where. Everything lives in
 * one arena and is freed at once.
 */
#ifndef SALLYPORT_CONFIG_CFG_H
#define SALLYPORT_CONFIG_CFG_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/report.h"
#include "base/view.h"

#include <stdio.h>

#define CFG_NONE       UINT32_MAX          /* a reference that was not given */
#define CFG_FILE_MAX_B (16u * 1024 * 1024) /* of the file with all that it includes */

struct cfg_group;
struct logfmt;

struct cfg_pos {
    const char *file;
    int line; /* 0: not in the file, the default holds */
};

struct cfg_node {
    const struct cfg_group *group;
    const char *path;          /* "hosts[gw.example].tls"; "" for the file as a whole */
    const struct cfg_pos *pos; /* [0]: where it begins; [1 + n]: its n-th key */
};

/* Lists. All of one shape: the reader fills them by the table. */
struct cfg_texts {
    const char **v;
    uint32_t n;
};
struct cfg_words {
    uint32_t *v; /* indices into the words of the key */
    uint32_t n;
};
struct cfg_refs {
    uint32_t *v; /* indices into the list that is named */
    uint32_t n;
};
struct cfg_prefixes {
    struct ip_prefix *v;
    uint32_t n;
};

enum cfg_cpus_how { CFG_CPUS_AUTO, CFG_CPUS_COUNT, CFG_CPUS_LIST };
struct cfg_cpus {
    enum cfg_cpus_how how;
    uint32_t count; /* CFG_CPUS_COUNT */
    uint32_t *v;    /* CFG_CPUS_LIST */
    uint32_t n;
};

/* Values of the words in cfg_keys.def, in their order. */
enum { CFG_POLL_ADAPTIVE, CFG_POLL_ALWAYS };
enum { CFG_OFFLOAD_AUTO, CFG_OFFLOAD_OFF, CFG_OFFLOAD_ON };
enum { CFG_ROUND_ROBIN, CFG_LEAST_CONN };
enum { CFG_TLS_1_2, CFG_TLS_1_3 };
enum { CFG_SNI_DEFAULT, CFG_SNI_REQUIRED };
enum { CFG_CERT_NONE, CFG_CERT_OPTIONAL, CFG_CERT_REQUIRE, CFG_CERT_REQUEST };
enum { CFG_BAD_HTTP, CFG_BAD_TLS, CFG_BAD_AS_NONE };
enum { CFG_MISSING_HTTP, CFG_MISSING_TLS };
enum { CFG_CA_NAMES_ALL, CFG_CA_NAMES_NONE, CFG_CA_NAMES_FILES };
enum { CFG_CRL_NONE, CFG_CRL_LEAF, CFG_CRL_CHAIN };
enum { CFG_OCSP_OFF, CFG_OCSP_LEAF, CFG_OCSP_CHAIN };
enum { CFG_OCSP_DENY, CFG_OCSP_ALLOW, CFG_OCSP_HOLD };
enum { CFG_CRL_DENY, CFG_CRL_ALLOW };
enum { CFG_REQUIRE_NONE, CFG_REQUIRE_CERT };
enum { CFG_HOST_PRESERVE, CFG_HOST_BACKEND };

struct cfg_memory {
    struct cfg_node node;
    int hugepages; /* -1: auto */
    uint32_t buffers_mb, connections, tls_heap_mb;
    bool verdicts;
};

struct cfg_port {
    struct cfg_node node;
    const char *name, *device;
    struct cfg_prefixes addresses;
    struct ip_addr gateway, gateway6; /* "any": none */
    uint32_t mtu, vlan, offload;
};

struct cfg_ip {
    struct cfg_node node;
    bool reassembly;
};

struct cfg_tcp {
    struct cfg_node node;
    uint32_t time_wait_ms;
    uint32_t per_prefix;
    bool log_resets, ecn, pacing;
};

struct cfg_control {
    struct cfg_node node;
    const char *socket, *group;
    const char *crl_cache; /* NULL: none */
    uint32_t crl_wait_ms;
    uint32_t mode;
    bool telemetry;
};

struct cfg_fetch {
    struct cfg_node node;
    const char *ca, *proxy; /* NULL: none */
    struct cfg_texts direct;
};

struct cfg_trust {
    struct cfg_node node;
    const char *name;
    struct cfg_texts anchors, intermediates, crl;
    struct cfg_texts allow_fingerprints, allow_spki, allow_files;
    uint32_t crl_check, crl_missing, crl_expired;
    uint32_t ocsp, ocsp_first, ocsp_fail, ocsp_timeout_ms, ocsp_refresh_ms;
    const char *ocsp_url;
    bool ocsp_nonce;
    struct cfg_texts crl_url;
    bool crl_from_cdp, crl_learn;
    uint32_t crl_refresh_ms, crl_timeout_ms; /* refresh 0: by nextUpdate */
    uint64_t crl_max_b;
    bool partial_chain, anchor_expiry;
};

struct cfg_identity {
    struct cfg_node node;
    const char *name, *cert, *chain, *key;
    bool staple;
    const char *staple_url, *staple_file;
};

struct cfg_tls {
    struct cfg_node node;
    uint32_t min, max;
    const char *ciphers12, *ciphers13, *groups;
    bool tickets;
};

struct cfg_listener {
    struct cfg_node node;
    struct endpoint address;
    bool tls;
    uint32_t default_host; /* never CFG_NONE in a checked configuration */
    uint32_t sni;
};

struct cfg_client_cert {
    struct cfg_node node;
    uint32_t mode, on_bad, on_missing, ca_names;
    struct cfg_texts ca_name_files;
    struct cfg_refs trust; /* sorted, each once */
    int32_t max_depth;
    bool post_handshake;
};

struct cfg_respond {
    struct cfg_node node;
    uint32_t status;
    const char *body, *type;
};

struct cfg_request_header {
    struct cfg_node node;
    const char *name, *value;
    struct view_text compiled;
};

struct cfg_rule {
    struct cfg_node node;
    const char *var;
    struct cfg_texts is, is_not;
    struct view view;
};

struct cfg_location {
    struct cfg_node node;
    const char *path;
    bool exact;
    uint32_t upstream;
    struct cfg_respond *respond;
    uint32_t require;
    struct cfg_client_cert *client_cert; /* with the host's values where it says nothing itself */
    struct {
        struct cfg_rule *v;
        uint32_t n;
    } rules;
    struct {
        struct cfg_request_header *v;
        uint32_t n;
    } request_headers;
    uint64_t body_max_b;
    uint32_t host;
};

struct cfg_host {
    struct cfg_node node;
    const char *name;
    struct cfg_texts aliases;
    struct cfg_refs identities;
    struct cfg_words alpn;
    struct cfg_tls *tls; /* with the global values where it says nothing itself */
    struct cfg_client_cert *client_cert;
    struct {
        struct cfg_location *v;
        uint32_t n;
    } locations;
};

struct cfg_upstream_tls {
    struct cfg_node node;
    uint32_t identity;
    struct cfg_refs trust; /* sorted, each once */
    bool verify, verify_name;
    const char *sni;
    uint32_t min, max;
    const char *ciphers12, *ciphers13, *groups;
    bool tickets;
};

struct cfg_member {
    struct cfg_node node;
    struct endpoint address;
    const char *host, *tls_name, *route;
    uint32_t weight, retry_ms;
};

struct cfg_upstream_timeouts {
    struct cfg_node node;
    uint32_t connect_ms, response_ms, idle_ms;
};

struct cfg_upstream {
    struct cfg_node node;
    const char *name;
    uint32_t balance;
    const char *sticky_cookie;
    struct cfg_upstream_tls *tls; /* NULL: plain HTTP */
    struct {
        struct cfg_member *v;
        uint32_t n;
    } members;
    uint32_t idle_max, conns_max, tries;
    struct cfg_upstream_timeouts *timeouts;
};

struct cfg_limits {
    struct cfg_node node;
    uint32_t line_b, field_b, head_b, headers, requests_per_conn, conns, late_body_b;
};

struct cfg_timeouts {
    struct cfg_node node;
    uint32_t handshake_ms, header_ms, body_ms, keepalive_ms, send_ms, drain_ms;
};

struct cfg_access_log {
    struct cfg_node node;
    const char *path, *format;
};

struct cfg_error_log {
    struct cfg_node node;
    const char *path;
    uint32_t level; /* enum log_level */
};

struct cfg {
    struct cfg_node node;
    struct cfg_cpus cores;
    uint32_t poll;
    struct cfg_memory *memory;
    struct {
        struct cfg_port *v;
        uint32_t n;
    } ports;
    struct cfg_ip *ip;
    struct cfg_fetch *fetch;
    struct cfg_tcp *tcp;
    struct cfg_texts dpdk_args;
    struct cfg_control *control;
    struct {
        struct cfg_trust *v;
        uint32_t n;
    } trust;
    struct {
        struct cfg_identity *v;
        uint32_t n;
    } identities;
    struct cfg_tls *tls;
    struct {
        struct cfg_listener *v;
        uint32_t n;
    } listeners;
    struct {
        struct cfg_host *v;
        uint32_t n;
    } hosts;
    struct {
        struct cfg_upstream *v;
        uint32_t n;
    } upstreams;
    struct cfg_limits *limits;
    struct cfg_timeouts *timeouts;
    const char *ticket_keys; /* NULL: own ones */
    uint32_t min_rsa_bits;
    bool server_header;
    struct cfg_access_log *access_log; /* NULL: none */
    struct cfg_error_log *error_log;

    const char *file;       /* as it was named */
    struct logfmt *log_fmt; /* the compiled access_log.format; NULL without one */
    struct arena arena;
    uint32_t more; /* owners besides the first */
};

struct cfg_input {
    const char *file; /* for messages; relative paths in the text are relative to its folder */
    struct span text;
    bool
        no_files; /* look at nothing outside of the text: @include is a mistake, files are not checked */
};

/**
 * Read, complete with defaults and check a configuration. All mistakes go into the report.
 * Returns  OK: *out is valid. FAIL: there are mistakes; *out is what could be read nonetheless, good for
 *          looking at its trust sets and identities only, or NULL when the text has no shape.
 * Bound    CFG_FILE_MAX_B, and the numbers of elements in cfg_keys.def
 */
MUST_CHECK res cfg_load(const char *path, struct report *report, struct cfg **out);
MUST_CHECK res cfg_parse(const struct cfg_input *in, struct report *report, struct cfg **out);
void cfg_free(struct cfg *c); /* when this was the last owner */
struct cfg *cfg_ref(struct cfg *c);
void cfg_free_p(struct cfg **c); /* for DEFER */

/**
 * A mistake about one key of a group: "file:line: path.key: what". `member` is the offset of the key's
 * field; SIZE_MAX: the group itself. Without the key in the file the group's line is named.
 */
void cfg_mistake(struct report *r, enum report_level level, const struct cfg_node *node,
                 size_t member, const char *hint, const char *fmt, ...) PRINTF_LIKE(6, 7);
#define CFG_WHOLE SIZE_MAX

/* Was the key whose field is at this offset given in the file? */
bool cfg_given(const struct cfg_node *node, size_t member);

/* What differs between two configurations although it is fixed at start: mistakes about `next`. */
bool cfg_fixed_same(const struct cfg *now, const struct cfg *next, struct report *report);

/* The configuration with all defaults, as a file that gives the same configuration again. */
void cfg_show(const struct cfg *c, FILE *f);

/* docs/configuration.md, from the table. */
void cfg_help(FILE *f);

#endif
