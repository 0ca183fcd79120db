#include "control/gen.h"
#include "lib/site.h"
#include "lib/t.h"

struct fix {
    struct site site;
    struct slots *slots;
    uint32_t breaths;
};

static void begin(struct fix *f)
{
    memset(f, 0, sizeof(*f));
    site_begin(&f->site);
    T_NEED(IS_OK(slots_new(&f->slots)));
}

static void end(struct fix *f)
{
    (void)tls_profile_reap();
    T_OK(site_clean());
    T_EQ(slots_used(f->slots), 0);
    slots_free(f->slots);
    site_end(&f->site);
}

static void breath(void *ctx)
{
    ((struct fix *)ctx)->breaths++;
}

/* A generation of this configuration; NULL when it is refused. */
static struct gen *make(struct fix *f, const char *own, const struct gen *before)
{
    struct gen_input in = {.before = before,
                           .slots = f->slots,
                           .number = before ? before->snap.gen + 1 : 1,
                           .cores = 2,
                           .now_s = 1700000000,
                           .breathe = breath,
                           .ctx = f};
    struct cfg *cfg = NULL;
    struct gen *g = NULL;

    site_write(&f->site, own);
    report_clear(f->site.report);
    if (!IS_OK(cfg_load(site_file(&f->site), f->site.report, &cfg))) {
        t_fail(__FILE__, __LINE__, "%s", conf_report(f->site.report));
        cfg_free(cfg);
        return NULL;
    }
    T_OK(IS_OK(gen_build(&in, &cfg, f->site.report, &g)) == (g != NULL));
    T_OK((cfg == NULL) == (g != NULL));
    cfg_free(cfg);
    return g;
}

#define ONE_LOCATION                                                                        \
    "listeners = ( { address = \"10.77.0.1:443\"; default_host = \"a.example\"; } );\n"     \
    "hosts = ( { name = \"a.example\"; identities = \"gw\"; locations = ( { path = \"/\"; " \
    "upstream "                                                                             \
    "= \"web\"; "

/* What costs something in each handshake is made where something asks for it, and only there. */
static void ja4_is_made_where_it_is_asked_for(void)
{
    static const struct {
        const char *own;
        bool want;
    } rows[] = {
        {"access_log = { path = \"a.log\"; format = \"%h %{tls_group}x\"; };", false},
        {"access_log = { path = \"a.log\"; format = \"%h %{ja4}x\"; };", true},
        {ONE_LOCATION "request_headers = ( { name = \"X\"; value = \"%{HTTPS}s\"; } ); } ); } );",
         false},
        {ONE_LOCATION "request_headers = ( { name = \"X\"; value = \"a %{ja4}s\"; } ); } ); } );",
         true},
        {ONE_LOCATION "rules = ( { var = \"ja4\"; is_not = \"t\"; } ); } ); } );", true},
    };
    struct fix f;

    begin(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gen *g = make(&f, rows[i].own, NULL);

        T_NEED(g != NULL);
        T_ROW_EQ(rows[i].own, g->snap.ja4, rows[i].want);
        gen_free(g, f.slots);
    }
    end(&f);
}

static void scalars_are_carried_over(void)
{
    struct fix f;
    struct gen *g;

    begin(&f);
    g = make(
        &f,
        "limits = { request_line = 1000; requests_per_connection = 5; };\n"
        "timeouts = { header = 1; send = 2; }; min_rsa_bits = 3072; server_header = false;\n"
        "memory = { connections = 500; }; error_log = { path = \"e.log\"; level = \"peer\"; };\n"
        "access_log = { path = \"a.log\"; format = \"%{Via}i %{Server}o %{SSL_CLIENT_S_DN}x\"; };",
        NULL);
    T_NEED(g != NULL);
    T_EQ(g->snap.gen, 1);
    T_EQ(g->snap.cores, 2);
    T_EQ(g->snap.limits.line_b, 1000);
    T_EQ(g->snap.limits.requests_per_conn, 5);
    T_EQ(g->snap.limits.conns, 500);
    T_EQ(g->snap.timeouts.header_ms, 1000);
    T_EQ(g->snap.timeouts.send_ms, 2000);
    T_EQ(g->snap.min_rsa_bits, 3072);
    T_EQ(g->snap.log_level, LOG_PEER);
    T_OK(!g->snap.server_header);
    T_EQ(g->snap.capture.request_header_count, 1);
    T_SPAN(g->snap.capture.request_headers[0], "via");
    T_SPAN(g->snap.capture.response_headers[0], "server");
    T_EQ(g->snap.capture.view_count, 1);
    T_SPAN(g->snap.capture.views[0].name, "SSL_CLIENT_S_DN");
    gen_free(g, f.slots);
    end(&f);
}

static const char two_hosts[] =
    "listeners = ( { address = \"10.77.0.1:443\"; default_host = \"b.example\"; sni = "
    "\"required\"; },\n"
    "  { address = \"*:80\"; tls = false; default_host = \"a.example\"; } );\n"
    "hosts = ( { name = \"a.example\"; aliases = [ \"*.a.example\", \"www.b.example\" ]; "
    "identities = \"gw\";\n"
    "  client_cert = { mode = \"require\"; trust = [ \"staff\", \"backends\" ]; max_depth = 3; "
    "on_bad = \"tls\"; on_missing = \"tls\"; };\n"
    "  locations = ( { path = \"/\"; upstream = \"web\"; }, { path = \"/long/path\"; upstream = "
    "\"web\"; host = \"backend\"; body_max = \"1m\"; },\n"
    "    { path = \"/x\"; exact = true; respond = { status = 404; body = \"no\"; }; client_cert = "
    "{ mode = \"none\"; }; }, { path = \"/x\"; upstream = \"web\"; } ); },\n"
    "  { name = \"b.example\"; identities = \"gw\"; client_cert = { trust = \"staff\"; };\n"
    "    locations = ( { path = \"/\"; upstream = \"web\"; }, { path = \"/p\"; upstream = \"web\"; "
    "require = \"cert\"; } ); } );\n";

static void hosts_and_locations(void)
{
    struct fix f;
    struct gen *g;
    const struct snap_host *a, *b;

    begin(&f);
    g = make(&f, two_hosts, NULL);
    T_NEED(g != NULL);
    T_EQ(snap_host_by_name(&g->snap, SPAN_LIT("A.example")), 0);
    T_EQ(snap_host_by_name(&g->snap, SPAN_LIT("x.a.example")), 0);
    T_EQ(snap_host_by_name(&g->snap, SPAN_LIT("www.b.example")), 0);
    T_EQ(snap_host_by_name(&g->snap, SPAN_LIT("b.example")), 1);
    T_EQ(g->snap.listeners[0].default_host, 1);
    T_OK(g->snap.listeners[0].sni_required && !g->snap.listeners[1].tls);
    a = &g->snap.hosts[0];
    b = &g->snap.hosts[1];
    T_EQ(a->cert.mode, SNAP_CERT_REQUIRE);
    T_EQ(a->cert.on_bad, SNAP_REFUSE_TLS);
    T_EQ(a->cert.on_missing, SNAP_REFUSE_TLS);
    T_OK(a->cert.asked);
    T_SPAN(g->snap.trusts[a->cert.trust].name, "staff+backends");
    T_EQ(a->location_count, 4);
    T_OK(a->locations[0].kind == SNAP_LOC_EXACT);
    T_SPAN(a->locations[1].path, "/long/path");
    T_SPAN(a->locations[2].path, "/x");
    T_SPAN(a->locations[3].path, "/");
    T_EQ(a->locations[0].upstream, SNAP_NONE);
    T_EQ(a->locations[0].respond_status, 404);
    T_SPAN(a->locations[0].respond_body, "no");
    T_OK(!a->locations[0].require_cert); /* says mode = "none" itself */
    T_OK(a->locations[1].require_cert);  /* the host's mode is "require" */
    T_OK(!a->locations[1].host_preserve);
    T_EQ(a->locations[1].body_max, 1 << 20);
    T_EQ(a->locations[3].body_max, UINT64_MAX);
    T_EQ(b->cert.mode, SNAP_CERT_NONE);
    T_OK(b->cert.asked); /* one of its locations needs one */
    T_OK(b->locations[0].require_cert && !b->locations[1].require_cert);
    T_OK(a->tls != NULL && b->tls != NULL);
    T_EQ(g->snap.trust_count, 3); /* staff+backends, staff, backends (upstream) */
    gen_free(g, f.slots);
    end(&f);
}

static void equal_policies_have_equal_ids(void)
{
    static const struct {
        const char *name, *a, *b;
        bool same;
    } rows[] = {
        {"none and none", "", "", true},
        {"trust", "client_cert = { mode = \"optional\"; trust = \"staff\"; };",
         "client_cert = { mode = \"optional\"; trust = \"staff\"; };", true},
        {"other trust", "client_cert = { mode = \"optional\"; trust = \"staff\"; };",
         "client_cert = { mode = \"optional\"; trust = \"backends\"; };", false},
        {"mode", "client_cert = { mode = \"optional\"; trust = \"staff\"; };",
         "client_cert = { mode = \"require\"; trust = \"staff\"; };", false},
        {"depth", "client_cert = { mode = \"optional\"; trust = \"staff\"; max_depth = 1; };",
         "client_cert = { mode = \"optional\"; trust = \"staff\"; };", false},
        {"on_bad", "client_cert = { mode = \"optional\"; trust = \"staff\"; on_bad = \"none\"; };",
         "client_cert = { mode = \"optional\"; trust = \"staff\"; };", false},
        {"version", "tls = { min = \"1.3\"; };", "", false},
        {"tickets do not count", "tls = { tickets = false; };", "", true},
    };
    struct fix f;

    begin(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char own[2048];
        struct gen *g;

        snprintf(own, sizeof(own),
                 "listeners = ( { address = \"10.77.0.1:443\"; default_host = \"a.example\"; } );\n"
                 "hosts = ( { name = \"a.example\"; identities = \"gw\"; %s locations = ( { path = "
                 "\"/\"; upstream = \"web\"; } ); },\n"
                 " { name = \"b.example\"; identities = \"gw\"; %s locations = ( { path = \"/\"; "
                 "upstream = \"web\"; } ); } );\n",
                 rows[i].a, rows[i].b);
        g = make(&f, own, NULL);
        T_NEED(g != NULL);
        T_ROW_EQ(rows[i].name, g->snap.hosts[0].policy_id == g->snap.hosts[1].policy_id,
                 rows[i].same);
        gen_free(g, f.slots);
    }
    end(&f);
}

static void upstreams_and_members(void)
{
    struct fix f;
    struct gen *g;
    const struct snap_upstream *u;

    begin(&f);
    g = make(&f,
             "upstreams = ( { name = \"web\"; balance = \"least_conn\"; sticky_cookie = \"ID\"; "
             "idle_max = 3; conns_max = 4;\n"
             "  timeouts = { connect = 1; response = 2; idle = 3; };\n"
             "  tls = { trust = [ \"staff\", \"backends\" ]; identity = \"gw-client\"; };\n"
             "  members = ( { address = \"10.77.0.11:443\"; host = \"b.example:444\"; route = "
             "\"r1\"; weight = 5; retry = 0; },\n"
             "    { address = \"10.77.0.12:443\"; route = \"r2\"; }, { address = "
             "\"10.77.0.13:8443\"; tls_name = \"t.example\"; route = \"r3\"; } ); },\n"
             " { name = \"plain\"; tries = 1; members = ( { address = \"10.77.0.11:80\"; }, { "
             "address = \"[2001:db8::1]:80\"; } ); },\n"
             " { name = \"blind\"; tls = { verify = false; sni = \"s.example\"; }; members = ( { "
             "address = \"10.77.0.11:443\"; } ); } );",
             NULL);
    T_NEED(g != NULL);
    u = &g->snap.upstreams[0];
    T_EQ(u->balance, SNAP_LEAST_CONN);
    T_SPAN(u->sticky_cookie, "ID");
    T_EQ(u->tries, 3);
    T_EQ(u->idle_max, 3);
    T_EQ(u->conns_max, 4);
    T_EQ(u->connect_ms, 1000);
    T_EQ(u->response_ms, 2000);
    T_EQ(u->idle_ms, 3000);
    T_OK(u->verify && u->verify_name && u->tls && u->trust != SNAP_NONE);
    T_SPAN(u->members[0].name, "10.77.0.11:443");
    T_SPAN(u->members[0].host, "b.example:444");
    T_SPAN(u->members[0].tls_name, "b.example");
    T_SPAN(u->members[0].route, "r1");
    T_EQ(u->members[0].weight, 5);
    T_EQ(u->members[0].retry_ms, 0);
    T_SPAN(u->members[1].host, "10.77.0.12"); /* 443 is what TLS has anyway */
    T_SPAN(u->members[1].tls_name, "10.77.0.12");
    T_SPAN(u->members[2].host, "10.77.0.13:8443");
    T_SPAN(u->members[2].tls_name, "t.example");
    u = &g->snap.upstreams[1];
    T_OK(u->tls == NULL && !u->verify && u->trust == SNAP_NONE);
    T_EQ(u->tries, 1);
    T_SPAN(u->members[0].host, "10.77.0.11");
    T_SPAN(u->members[1].host, "[2001:db8::1]");
    T_OK(u->members[0].tls_name.len == 0);
    u = &g->snap.upstreams[2];
    T_OK(u->tls != NULL && !u->verify && !u->verify_name);
    T_SPAN(u->members[0].tls_name, "s.example");
    T_OK(g->snap.upstreams[0].members[0].slot != u->members[0].slot);
    gen_free(g, f.slots);
    end(&f);
}

static void what_is_equal_is_shared_with_the_generation_before(void)
{
    struct fix f;
    struct gen *one, *two, *three;
    uint32_t made;

    begin(&f);
    one = make(&f, two_hosts, NULL);
    T_NEED(one != NULL);
    T_OK(one->snap.hosts[0].tls == one->snap.hosts[1].tls); /* same settings, same contexts */
    made = fake_crypto.profiles_made;
    two = make(&f, two_hosts, one);
    T_NEED(two != NULL);
    T_EQ(two->snap.gen, 2);
    T_EQ(fake_crypto.profiles_made, made);
    T_OK(two->snap.hosts[0].tls == one->snap.hosts[0].tls);
    T_OK(two->snap.trusts[0].trust == one->snap.trusts[0].trust);
    T_EQ(two->snap.upstreams[0].members[0].slot, one->snap.upstreams[0].members[0].slot);
    T_EQ(two->snap.hosts[0].policy_id, one->snap.hosts[0].policy_id);
    T_EQ(fake_crypto.trusts, 3);
    gen_free(one, f.slots);

    tmp_write(&f.site.tmp, "ca.pem", "another CA");
    tmp_write(&f.site.tmp, "gw.pem", "another certificate");
    three = make(&f, two_hosts, two);
    T_NEED(three != NULL);
    T_OK(three->snap.trusts[0].trust != two->snap.trusts[0].trust);
    T_OK(three->snap.hosts[0].tls != two->snap.hosts[0].tls);
    T_OK(three->snap.upstreams[0].tls == two->snap.upstreams[0].tls);
    T_OK(three->snap.hosts[0].policy_id != two->snap.hosts[0].policy_id);
    T_OK(f.breaths > 10);
    gen_free(two, f.slots);
    gen_free(three, f.slots);
    end(&f);
}

static void bad_files_are_all_said(void)
{
    struct fix f;

    begin(&f);
    tmp_write(&f.site.tmp, "ca.pem", "bad");
    tmp_write(&f.site.tmp, "gw.key", "bad");
    tmp_write(&f.site.tmp, "c.pem", "bad");
    T_OK(make(&f, "", NULL) == NULL);
    T_OK(strstr(conf_report(f.site.report), "ca.pem:1: fake") != NULL);
    T_OK(strstr(conf_report(f.site.report), "gw.key:1: fake") != NULL);
    T_OK(strstr(conf_report(f.site.report), "c.pem:1: fake") != NULL);
    T_EQ(f.site.report->errors, 3);
    end(&f);
}

static void a_bad_set_that_nothing_uses_is_said(void)
{
    struct fix f;

    begin(&f);
    tmp_write(&f.site.tmp, "spare.pem", "bad");
    T_OK(make(&f,
              "trust = ( { name = \"staff\"; anchors = \"ca.pem\"; }, { name = \"backends\"; "
              "anchors = \"be.pem\"; },\n"
              " { name = \"spare\"; anchors = \"spare.pem\"; } );",
              NULL) == NULL);
    T_OK(strstr(conf_report(f.site.report), "spare.pem:1") != NULL);
    end(&f);
}

static void settings_that_tls_refuses_are_said(void)
{
    struct fix f;

    begin(&f);
    T_OK(make(&f, "tls = { ciphers12 = \"NOPE\"; };", NULL) == NULL);
    T_OK(strstr(conf_report(f.site.report), "no cipher NOPE") != NULL);
    end(&f);
}

static void identities_know_what_they_are_for(void)
{
    struct fix f;
    struct gen *g;

    begin(&f);
    g = make(&f, "", NULL);
    T_OK(!fake_crypto.last_for_server && fake_crypto.last_for_client); /* gw-client is the last */
    gen_free(g, f.slots);
    end(&f);
}

static void files_of_a_configuration_with_mistakes_are_read(void)
{
    struct fix f;
    struct cfg *cfg = NULL;

    begin(&f);
    tmp_write(&f.site.tmp, "ca.pem", "bad");
    tmp_write(&f.site.tmp, "gw.pem", "bad");
    site_write(
        &f.site,
        "corse = 1;\nidentities = ( { name = \"gw\"; cert = \"gw.pem\"; key = \"gw.key\"; },\n"
        " { name = \"gw-client\"; cert = \"nobody.pem\"; key = \"c.key\"; } );");
    T_OK(!IS_OK(cfg_load(site_file(&f.site), f.site.report, &cfg)));
    T_NEED(cfg != NULL);
    gen_check_files(cfg, 0, f.site.report);
    T_OK(strstr(conf_report(f.site.report), "corse: unknown key") != NULL);
    T_OK(strstr(conf_report(f.site.report), "ca.pem:1: fake") != NULL);
    T_OK(strstr(conf_report(f.site.report), "gw.pem:1: fake") != NULL);
    cfg_free(cfg);
    end(&f);
}

static void too_many_members_are_refused(void)
{
    struct fix f;
    struct gen *g;
    char *own = (char *)malloc(200000);
    struct sb s = sb_of(own, 200000);

    begin(&f);
    sb_str(&s,
           "upstreams = ( { name = \"web\"; members = ( { address = \"10.77.0.9:80\"; } ); }\n");
    for (int u = 0; u < 17; u++) {
        sb_fmt(&s, ",{ name = \"u%d\"; members = (", u);
        for (int m = 0; m < 62; m++)
            sb_fmt(&s, "%s{ address = \"10.78.%d.%d:80\"; }", m ? "," : "", u, m + 1);
        sb_str(&s, "); }\n");
    }
    sb_str(&s, ");\n");
    T_OK(!s.cut);
    g = make(&f, own, NULL); /* 1055 */
    T_OK(g == NULL);
    T_OK(strstr(conf_report(f.site.report), "more than 1024 members in all upstreams") != NULL);
    free(own);
    end(&f);
}

#define TESTS(X)                                                                                 \
    X(scalars_are_carried_over)                                                                  \
    X(ja4_is_made_where_it_is_asked_for) X(hosts_and_locations) X(equal_policies_have_equal_ids) \
        X(upstreams_and_members) X(what_is_equal_is_shared_with_the_generation_before)           \
            X(bad_files_are_all_said) X(a_bad_set_that_nothing_uses_is_said)                     \
                X(settings_that_tls_refuses_are_said) X(identities_know_what_they_are_for)       \
                    X(files_of_a_configuration_with_mistakes_are_read)                           \
                        X(too_many_members_are_refused)
T_MAIN("gen", TESTS)
