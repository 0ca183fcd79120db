#include "config/cfg.h"
#include "config/cfg_keys.h"
#include "lib/conf.h"
#include "lib/t.h"
#include "lib/tmp.h"

static struct report *report;

static struct cfg *good(const char *own)
{
    struct cfg *c = NULL;

    if (!report)
        report = report_new();
    report_clear(report);
    if (!IS_OK(conf_parse(own, report, &c)))
        t_fail(__FILE__, __LINE__, "refused: %s\n%s", own, conf_report(report));
    return c;
}

static void done(struct cfg *c)
{
    cfg_free(c);
    report_free(report);
    report = NULL;
}

static void a_small_configuration_is_completed(void)
{
    struct cfg *c = good("");
    const struct cfg_location *l;

    T_NEED(c != NULL);
    T_EQ(report->count, 0);
    T_EQ(c->cores.how, CFG_CPUS_AUTO);
    T_EQ(c->poll, CFG_POLL_ADAPTIVE);
    T_EQ((uint32_t)c->memory->hugepages, UINT32_MAX);
    T_EQ(c->limits->line_b, 8190);
    T_EQ(c->limits->headers, 100);
    T_EQ(c->timeouts->header_ms, 20000);
    T_EQ(c->timeouts->keepalive_ms, 60000);
    T_STR(c->control->socket, "/run/sallyport/control.sock");
    T_EQ(c->control->mode, 0660);
    T_OK(c->access_log == NULL);
    T_STR(c->error_log->path, "stderr");
    T_EQ(c->listeners.v[0].default_host, 0);
    T_OK(c->listeners.v[0].tls);
    T_STR(c->trust.v[0].anchors.v[0], "/etc/sp/ca.pem");
    T_OK(c->trust.v[0].anchor_expiry);
    T_OK(c->identities.v[0].chain == NULL);
    T_EQ(c->hosts.v[0].client_cert->mode, CFG_CERT_OPTIONAL);
    T_EQ(c->hosts.v[0].client_cert->max_depth, 2);
    T_EQ(c->hosts.v[0].alpn.n, 1);
    l = &c->hosts.v[0].locations.v[0];
    T_EQ(l->upstream, 0);
    T_OK(l->respond == NULL);
    T_EQ(c->upstreams.v[0].tls->identity, 1);
    T_EQ(c->upstreams.v[0].members.v[0].retry_ms, 60000);
    T_EQ(c->upstreams.v[0].timeouts->idle_ms, 4000);
    done(c);
}

static void every_kind_of_value_is_read(void)
{
    struct cfg *c =
        good("cores = [ 1, 2 ]; poll = \"always\"; min_rsa_bits = 3072; server_header = false;\n"
             "memory = { hugepages = true; buffers_mb = 64; };\n"
             "control = { socket = \"c.sock\"; mode = \"0600\"; group = \"ops\"; };\n"
             "timeouts = { header = \"250ms\"; keepalive = 1.5; };\n"
             "limits = { request_line = \"4k\"; };\n"
             "dpdk_args = [ \"--log-level=1\" ];\n"
             "access_log = { path = \"a.log\"; format = \"json\"; };\n");

    T_NEED(c != NULL);
    T_EQ(c->cores.n, 2);
    T_EQ(c->cores.v[1], 2);
    T_EQ(c->poll, CFG_POLL_ALWAYS);
    T_EQ(c->memory->hugepages, 1);
    T_EQ(c->memory->buffers_mb, 64);
    T_STR(c->control->socket, "/etc/sp/c.sock");
    T_EQ(c->control->mode, 0600);
    T_EQ(c->timeouts->header_ms, 250);
    T_EQ(c->timeouts->keepalive_ms, 1500);
    T_EQ(c->limits->line_b, 4096);
    T_STR(c->dpdk_args.v[0], "--log-level=1");
    T_OK(c->log_fmt != NULL);
    T_OK(!c->server_header);
    done(c);
}

static void one_value_is_a_list_of_one(void)
{
    struct cfg *c = good("cores = 2;\ntrust = ( { name = \"staff\"; anchors = \"a\"; intermediates "
                         "= ( \"b\", \"c\" ); },\n"
                         " { name = \"backends\"; anchors = [ \"d\" ]; } );");

    T_NEED(c != NULL);
    T_EQ(c->cores.how, CFG_CPUS_COUNT);
    T_EQ(c->cores.count, 2);
    T_EQ(c->trust.v[0].anchors.n, 1);
    T_EQ(c->trust.v[0].intermediates.n, 2);
    T_STR(c->trust.v[0].intermediates.v[1], "/etc/sp/c");
    done(c);
}

static void hosts_inherit_tls_and_locations_inherit_client_cert(void)
{
    struct cfg *c =
        good("tls = { min = \"1.3\"; groups = \"X25519\"; };\n"
             "hosts = ( { name = \"h.example\"; identities = \"gw\"; tls = { tickets = false; };\n"
             " client_cert = { mode = \"optional\"; trust = \"staff\"; max_depth = 3; on_bad = "
             "\"tls\"; };\n"
             " locations = ( { path = \"/\"; upstream = \"web\"; },\n"
             "  { path = \"/p\"; upstream = \"web\"; require = \"cert\"; client_cert = { max_depth "
             "= 1; }; } ); } );");
    const struct cfg_host *h;

    T_NEED(c != NULL);
    h = &c->hosts.v[0];
    T_EQ(h->tls->min, CFG_TLS_1_3);
    T_STR(h->tls->groups, "X25519");
    T_OK(!h->tls->tickets);
    T_OK(c->tls->tickets);
    T_EQ(h->locations.v[0].client_cert->max_depth, 3);
    T_EQ(h->locations.v[1].client_cert->max_depth, 1);
    T_EQ(h->locations.v[1].client_cert->mode, CFG_CERT_OPTIONAL);
    T_EQ(h->locations.v[1].client_cert->on_bad, CFG_BAD_TLS);
    T_EQ(h->locations.v[1].client_cert->trust.n, 1);
    done(c);
}

static void trust_lists_are_sorted_and_each_once(void)
{
    struct cfg *c = good("hosts = ( { name = \"h.example\"; identities = \"gw\";\n"
                         " client_cert = { mode = \"optional\"; trust = [ \"backends\", \"staff\", "
                         "\"backends\" ]; };\n"
                         " locations = ( { path = \"/\"; upstream = \"web\"; } ); } );");

    T_NEED(c != NULL);
    T_EQ(c->hosts.v[0].client_cert->trust.n, 2);
    T_EQ(c->hosts.v[0].client_cert->trust.v[0], 0);
    T_EQ(c->hosts.v[0].client_cert->trust.v[1], 1);
    done(c);
}

static void what_is_taken_without_trust_needs_none(void)
{
    struct cfg *c = good("trust = ( { name = \"backends\"; anchors = \"b\"; } );\n"
                         "hosts = ( { name = \"h.example\"; identities = \"gw\"; client_cert = { "
                         "mode = \"request\"; };\n"
                         " locations = ( { path = \"/\"; upstream = \"web\"; } ); } );");

    T_NEED(c != NULL);
    T_EQ(c->hosts.v[0].client_cert->mode, CFG_CERT_REQUEST);
    done(c);
}

static void odd_things_are_warnings(void)
{
    struct cfg *c = good("trust = ( { name = \"staff\"; anchors = \"a\"; }, { name = \"spare\"; "
                         "anchors = \"a\"; } );\n"
                         "upstreams = ( { name = \"web\"; tls = { verify = false; };\n"
                         " members = ( { address = \"10.77.0.9:443\"; route = \"a\"; } ); } );\n");

    T_NEED(c != NULL);
    T_EQ(report->errors, 0);
    T_EQ(report->warnings, 4);
    T_OK(strstr(conf_report(report), "trust[spare]: nothing uses it") != NULL);
    T_OK(strstr(conf_report(report), "identities[gw-client]: nothing uses it") != NULL);
    T_OK(strstr(conf_report(report), "anyone in between can pose as one") != NULL);
    T_OK(strstr(conf_report(report), "there is no sticky_cookie") != NULL);
    done(c);
}

static char *shown(const struct cfg *c)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    T_NEED(f != NULL);
    cfg_show(c, f);
    fclose(f);
    return text;
}

static const char rich[] =
    "cores = 3;\nmemory = { connections = 1000; };\n"
    "ports = ( { name = \"p0\"; device = \"tap:t0\"; addresses = [ \"10.77.0.1/24\", "
    "\"2001:db8::1/64\" ]; gateway6 = \"2001:db8::2\"; mtu = 1400; } );\n"
    "listeners = ( { address = \"*:443\"; default_host = \"A.example\"; }, { address = "
    "\"[2001:db8::1]:80\"; tls = false; default_host = \"b.example\"; } );\n"
    "hosts = ( { name = \"a.example\"; aliases = \"*.a.example\"; identities = \"gw\"; tls = { min "
    "= \"1.3\"; };\n"
    "  client_cert = { mode = \"require\"; trust = [ \"staff\", \"backends\" ]; on_bad = \"tls\"; "
    "on_missing = \"tls\"; max_depth = -1; };\n"
    "  locations = ( { path = \"/\"; upstream = \"web\"; body_max = \"8g\"; host = \"backend\"; "
    "},\n"
    "    { path = \"/health\"; exact = true; respond = { body = \"a \\\"quoted\\\" \\\\ "
    "\\n\\x01line\"; }; client_cert = { mode = \"none\"; }; } ); },\n"
    "  { name = \"b.example\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); } );\n"
    "timeouts = { header = \"1500ms\"; };\n"
    "access_log = { path = \"stdout\"; format = \"%h \\\"%r\\\"\"; };\n";

static void what_is_shown_is_the_same_configuration(void)
{
    struct cfg *c = good(rich), *again = NULL;
    char *text, *text2;
    struct cfg_input in = {.file = "/etc/sp/test.conf", .no_files = true};

    T_NEED(c != NULL);
    text = shown(c);
    in.text = span_str(text);
    if (!IS_OK(cfg_parse(&in, report, &again)))
        t_fail(__FILE__, __LINE__, "refused: %s\n%s", conf_report(report), text);
    T_NEED(again != NULL);
    text2 = shown(again);
    T_STR(text2, text);
    T_EQ(again->hosts.v[0].locations.v[0].body_max_b, 8ULL << 30);
    T_STR(again->hosts.v[0].locations.v[1].respond->body, "a \"quoted\" \\ \n\x01line");
    T_EQ((uint32_t)again->hosts.v[0].client_cert->max_depth, UINT32_MAX);
    T_OK(cfg_fixed_same(c, again, report));
    free(text);
    free(text2);
    cfg_free(again);
    done(c);
}

static void what_cannot_change_is_found(void)
{
    static const struct {
        const char *own, *say;
    } rows[] = {
        {"cores = 2;", "cores: cannot change while running: it is \"auto\", the file says 2"},
        {"memory = { connections = 100; };",
         "memory.connections: cannot change while running: it is 65536, the file says 100"},
        {"poll = \"always\";", "poll: cannot"},
        {"control = { mode = \"0600\"; };", "control.mode: cannot"},
        {"dpdk_args = \"x\";", "dpdk_args: cannot change while running: it is nothing"},
        {"ports = ( { name = \"p0\"; device = \"tap:t0\"; addresses = [ \"10.77.0.1/16\" ]; "
         "gateway = \"10.77.0.254\"; } );",
         "ports[p0].addresses: cannot change while running: it is [ \"10.77.0.1/24\" ], the file "
         "says [ \"10.77.0.1/16\" ]"},
        {"ports = ( { name = \"p0\"; device = \"tap:t0\"; addresses = [ \"10.77.0.1/24\" ]; "
         "gateway = \"10.77.0.254\"; }, { device = \"x\"; addresses = \"10.9.0.1/8\"; } );",
         "ports: cannot change while running: it is another number of elements"},
    };
    struct cfg *c = good("");
    struct report *r = report_new();

    T_NEED(c != NULL && r != NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cfg *next = NULL;

        T_NEED(IS_OK(conf_parse(rows[i].own, r, &next)));
        if (cfg_fixed_same(c, next, r) || !strstr(conf_report(r), rows[i].say))
            t_fail(__FILE__, __LINE__, "'%s': %s", rows[i].own, conf_report(r));
        else
            t_pass(rows[i].say);
        cfg_free(next);
        report_clear(r);
    }
    report_free(r);
    done(c);
}

static void what_can_change_is_no_difference(void)
{
    struct cfg *c = good(""), *next = NULL;
    struct report *r = report_new();

    T_NEED(c != NULL && r != NULL);
    T_OK(IS_OK(conf_parse(
        "min_rsa_bits = 4096; limits = { headers = 50; }; error_log = { level = \"trace\"; };", r,
        &next)));
    T_OK(cfg_fixed_same(c, next, r));
    T_EQ(r->count, 0);
    cfg_free(next);
    report_free(r);
    done(c);
}

static void files_are_read_and_checked(void)
{
    struct tmp t;
    struct report *r = report_new();
    struct cfg *c = NULL;
    char text[8192];

    T_NEED(r != NULL);
    tmp_begin(&t);
    conf_text(text, sizeof(text), "access_log = { path = \"access.log\"; };");
    tmp_write(&t, "sp.conf", text);
    T_OK(!IS_OK(cfg_load(tmp_path(&t, "sp.conf"), r, &c)));
    T_EQ(r->errors, 6); /* none of the six files of the PKI is there */
    T_OK(strstr(conf_report(r), "ca.pem\": No such file or directory") != NULL);
    cfg_free(c);
    report_clear(r);
    tmp_write(&t, "ca.pem", "");
    tmp_write(&t, "be.pem", "");
    tmp_write(&t, "gw.pem", "");
    tmp_write(&t, "gw.key", "");
    tmp_write(&t, "c.pem", "");
    tmp_write(&t, "c.key", "");
    T_OK(IS_OK(cfg_load(tmp_path(&t, "sp.conf"), r, &c)));
    T_OK(c && strcmp(c->access_log->path, tmp_path(&t, "access.log")) == 0);
    cfg_free(c);
    report_free(r);
    tmp_end(&t);
}

static void a_file_that_is_not_there_leaves_nothing(void)
{
    struct report *r = report_new();
    struct cfg *c = (struct cfg *)1;

    T_NEED(r != NULL);
    T_OK(!IS_OK(cfg_load("/nonexistent/sp.conf", r, &c)));
    T_OK(c == NULL);
    T_EQ(r->errors, 1);
    report_free(r);
}

/* Cut anywhere and changed anywhere it may be refused, but never more than that. */
static void cut_and_changed_texts_do_no_harm(void)
{
    struct report *r = report_new();
    size_t len = sizeof(rich) - 1;
    char *text = (char *)malloc(len);

    T_NEED(r != NULL && text != NULL);
    for (size_t i = 0; i < 2 * len; i++) {
        struct cfg *c = NULL;
        struct cfg_input in = {.file = "x", .no_files = true};

        memcpy(text, rich, len);
        if (i >= len)
            text[i - len] = (char)(text[i - len] ^ 0x11);
        in.text = span_of(text, i < len ? i : len);
        T_OK(IS_OK(cfg_parse(&in, r, &c)) == (r->errors == 0));
        cfg_free(c);
        report_clear(r);
    }
    free(text);
    report_free(r);
}

static void many_hosts_are_read_in_reasonable_time(void)
{
    enum { N = 5000 };
    size_t cap = (size_t)N * 160 + 4096;
    char *text = (char *)malloc(cap);
    struct sb s = sb_of(text, cap);
    struct cfg_input in = {.file = "x", .no_files = true};
    struct report *r = report_new();
    struct cfg *c = NULL;

    T_NEED(text != NULL && r != NULL);
    sb_str(&s, "ports = ( { device = \"a\"; addresses = \"10.77.0.1/24\"; } );\n"
               "listeners = ( { address = \"10.77.0.1:80\"; tls = false; default_host = "
               "\"h0.example\"; } );\n"
               "hosts = (\n");
    for (int i = 0; i < N; i++)
        sb_fmt(&s,
               "%s{ name = \"h%d.example\"; locations = ( { path = \"/\"; respond = { status = "
               "404; }; } ); }\n",
               i ? "," : "", i);
    sb_str(&s, ");\n");
    in.text = sb_span(&s);
    T_OK(IS_OK(cfg_parse(&in, r, &c)));
    T_OK(c && c->hosts.n == N);
    cfg_free(c);
    report_free(r);
    free(text);
}

#define TESTS(X)                                                                             \
    X(a_small_configuration_is_completed)                                                    \
    X(every_kind_of_value_is_read)                                                           \
    X(one_value_is_a_list_of_one) X(hosts_inherit_tls_and_locations_inherit_client_cert)     \
        X(trust_lists_are_sorted_and_each_once) X(what_is_taken_without_trust_needs_none)    \
            X(odd_things_are_warnings) X(what_is_shown_is_the_same_configuration)            \
                X(what_cannot_change_is_found) X(what_can_change_is_no_difference)           \
                    X(files_are_read_and_checked) X(a_file_that_is_not_there_leaves_nothing) \
                        X(cut_and_changed_texts_do_no_harm)                                  \
                            X(many_hosts_are_read_in_reasonable_time)
T_MAIN("cfg", TESTS)
