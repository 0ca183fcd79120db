/* Broken configurations: each row is one mistake, and what is said about it. */
#include "lib/conf.h"
#include "lib/t.h"

struct row {
    const char *own; /* from line 1 on; the rest of a good configuration follows */
    int line;
    const char *part; /* of what is said, hint included */
};

#define HOST(body)     "hosts = ( { name = \"h.example\"; identities = [ \"gw\" ];\n" body "\n} );"
#define LOCATION(body) HOST("locations = ( { path = \"/\";\n" body "\n} );")
#define UP(body)       "upstreams = ( { name = \"web\";\n" body "\n} );"
#define MEMBER(body)   UP("members = ( {\n" body "\n} );")
#define CERT(body) \
    HOST("client_cert = {\n" body "\n}; locations = ( { path = \"/\"; upstream = \"web\"; } );")

#define IDENTITY(body)                                                          \
    "identities = ( { name = \"gw\"; cert = \"a\"; key = \"k\";\n" body " },\n" \
    "{ name = \"gw-client\"; cert = \"c\"; key = \"k\"; } );"

/* clang-format off */
static const struct row rows[] = {
    /* the text as such */
    {"cores = ;",                                    1, "syntax error"},
    {"cores = 1\nports = ( };",                      2, "'}' closes the '(' that was opened in line 2"},
    {"ports = ( { device = \"a\"; } ;",              1, "'(' is not closed"},
    {"}",                                            1, "'}' closes nothing"},
    {"/* never\nclosed",                             1, "this comment has no closing"},
    {"access_log = { path = \"x;\n};\n",             1, "'{' is not closed"},
    {"a = ((((((((((((((((( 1 )))))))))))))))));",    1, "nested too deeply"},
    {"cores = 1;\ncores = 2;",                       2, "given in the same group before"},
    {"cores = [ 1, \"a\" ];",                        1, "values of one type"},
    {"cores = 99999999999999999999;",                1, "this number is too large"},
    {"cores = 0x1FFFFFFFF;",                         1, "this number is too large (write it in decimal)"},
    {"min_rsa_bits = 4294969344;",                   1, "min_rsa_bits: 4294969344 is above 8192"},
    {"min_rsa_bits = -5000000000;",                  1, "-5000000000 is below 1024"},
    {"\n@include \"other.conf\"",                    2, "no other files here"},
    {"@include other",                               1, "@include without a file name in quotes"},
    {"access_log = { path = \"\\x00\"; };",          1, "\\x00 in a text"},

    /* keys */
    {"corse = 1;",                                   1, "corse: unknown key (did you mean \"cores\"?)"},
    {"max_depth = 1;",                               1, "there is one in \"client_cert\""},
    {"limits = { cores = 1; };",                     1, "limits.cores: unknown key (it stands at top level)"},
    {"zzz = 1;",                                     1, "zzz: unknown key"},
    {LOCATION("upstraem = \"web\";"),                3, "hosts[h.example].locations[/].upstraem: unknown key (did you mean \"upstream\"?)"},
    {"listeners = ( { tls = true; } );",             1, "listeners[0].address: is missing"},
    {"identities = ( { name = \"gw\"; cert = \"a\"; },\n { name = \"gw-client\"; cert = \"c\"; key = \"k\"; } );", 1, "identities[gw].key: is missing"},
    {IDENTITY("staple_url = \"http://a/\";"),        2, "none are sent (staple = true)"},
    {IDENTITY("staple = true; staple_url = \"file:///a\";"), 2, "not an http:// or https:// URL"},
    {IDENTITY("staple = true; staple_url = \"http://a/\"; staple_file = \"f\";"), 2, "either staple_file or staple_url"},
    {"ports = ( );",                                 1, "ports: an empty list"},

    /* URLs, folders */
    {"trust = ( { name = \"staff\"; anchors = \"ca.pem\";\n crl_url = \"ldap://a/\"; } );", 2, "\"ldap://a/\": it begins neither with http://"},
    {"trust = ( { name = \"staff\"; anchors = \"ca.pem\";\n crl_url = [ \"http://a/\", \"http://me:pw@a/\" ]; } );", 2, "it carries a user's name"},
    {"trust = ( { name = \"staff\"; anchors = \"ca.pem\";\n crl_timeout = 0; } );", 2, "crl_timeout: 0 is below 100ms"},

    /* fetching */
    {"fetch = {\n proxy = \"https://p/\"; };",        2, "fetch.proxy: not an http:// URL"},
    {"fetch = {\n proxy = \"http://me:pw@p/\"; };",   2, "it carries a user's name"},
    {"fetch = { proxy = \"http://p/\";\n direct = [ \"a\", \"b,c\" ]; };", 2, "\"b,c\": not one name, address or network"},
    {"fetch = {\n ca = \"\"; };",                    2, "fetch.ca"},

    /* types */
    {"cores = true;",                                1, "true is not \"auto\", a number, or a list of CPU numbers"},
    {"cores = \"all\";",                             1, "\"all\" is not \"auto\""},
    {"cores = [ 1, 1 ];",                            1, "CPU 1 stands in the list twice"},
    {"cores = 0;",                                   1, "0 is below 1"},
    {"poll = \"alway\";",                            1, "\"alway\" is not one of \"adaptive\", \"always\" (did you mean \"always\"?)"},
    {"poll = 1;",                                    1, "1 is not one of"},
    {"server_header = \"on\";",                      1, "\"on\" is not true or false"},
    {"min_rsa_bits = \"2048\";",                     1, "\"2048\" is not a whole number"},
    {"min_rsa_bits = 2048.5;",                       1, "2048.5 is not a whole number"},
    {"min_rsa_bits = 512;",                          1, "512 is below 1024"},
    {"memory = { connections = 99999999; };",        1, "memory.connections: 99999999 is above 8388608"},
    {"memory = { hugepages = \"yes\"; };",           1, "\"yes\" is not true, false or \"auto\""},
    {"memory = 5;",                                  1, "memory: 5 is not a group"},
    {"listeners = { address = \"10.77.0.1:443\"; };", 1, "a group is not a list of groups"},
    {"listeners = ( 5 );",                           1, "listeners[0]: 5 is not a group"},
    {"timeouts = { header = \"20 s\"; };",           1, "\"20 s\" is not a duration (write a number of seconds"},
    {"timeouts = { header = \"5ms\"; };",            1, "timeouts.header: \"5ms\" is below 100ms"},
    {"timeouts = { header = -1; };",                 1, "-1 is not a duration"},
    {"timeouts = { header = \"10w\"; };",            1, "\"10w\" is not a duration"},
    {"limits = { request_line = \"8kb\"; };",        1, "\"8kb\" is not a size"},
    {"limits = { head = \"1k\"; };",                 1, "limits.head: smaller than request_line"},
    {"limits = { connections = 70000; };",           1, "70000 are more than memory.connections, 65536"},
    {"control = { mode = 660; };",                   1, "660 is not a file mode (in quotes"},
    {"control = { mode = \"0999\"; };",              1, "is not a file mode"},
    {"control = { socket = \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; };", 1, "longer than 107"},
    {"access_log = { format = \"%h\"; };",           1, "access_log.path: is missing"},
    {"access_log = { path = \"\"; };",               1, "\"\" is empty"},
    {"error_log = { level = \"debug\"; };",          1, "\"debug\" is not one of \"bug\", \"oper\", \"peer\", \"info\", \"trace\""},

    /* addresses */
    {"listeners = ( { address = \"gw.example:443\"; } );", 1, "\"gw.example:443\" is not an address with a port"},
    {"listeners = ( { address = \"10.77.0.1\"; } );",      1, "is not an address with a port (write \"10.0.0.1:443\""},
    {"listeners = ( { address = \"10.77.0.1:0\"; } );",    1, "is not an address with a port"},
    {"listeners = ( { address = \"224.0.0.1:443\"; } );",  1, "multicast"},
    {"listeners = ( { address = \"10.77.0.2:443\"; } );",  1, "no port has the address of 10.77.0.2:443"},
    {"listeners = ( { address = \"10.77.0.1:443\"; },\n { address = \"10.77.0.1:443\"; } );", 2, "10.77.0.1:443 is a listener already (/etc/sp/test.conf:1)"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1\"; } );", 1, "\"10.77.0.1\" is not an address with the length of its network"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1/33\"; } );", 1, "is not an address with the length"},
    {"ports = ( { device = \"a\"; addresses = [ \"10.77.0.1/24\", \"10.77.0.1/16\" ]; } );", 1, "10.77.0.1 stands here or at another port, too"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1/24\"; gateway = \"10.78.0.1\"; } );", 1, "in none of the port's networks"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1/24\"; gateway = \"fe80::1\"; } );", 1, "not an address of IPv4"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1/24\"; },\n { device = \"a\"; addresses = \"10.78.0.1/24\"; } );", 2, "a is a port already (/etc/sp/test.conf:1)"},
    {"ports = ( { device = \"a\"; addresses = \"10.77.0.1/24\"; vlan = 4095; } );", 1, "4095 is above 4094"},
    {MEMBER("address = \"backend.local:80\";"),      3, "is not an address with a port"},
    {MEMBER("address = \"0.0.0.0:80\";"),            3, "not the address of one host"},
    {MEMBER("address = \"10.77.0.1:443\";"),         3, "this is our own listener"},

    /* names and references */
    {"trust = ( { name = \"staff\"; anchors = \"a\"; },\n { name = \"staff\"; anchors = \"b\"; },\n { name = \"backends\"; anchors = \"b\"; } );", 2, "\"staff\" is the name of trust[staff], too (/etc/sp/test.conf:1)"},
    {"hosts = ( { name = \"a.example\"; identities = \"gw\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); },\n { name = \"b.example\"; aliases = \"A.example\"; identities = \"gw\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); } );\nlisteners = ( { address = \"10.77.0.1:443\"; default_host = \"a.example\"; } );", 2, "\"a.example\" is the name of hosts[a.example], too"},
    {HOST("aliases = [ \"h.example\" ];\n locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "\"h.example\" stands in this host twice"},
    {LOCATION("upstream = \"wbe\";"),                3, "there is no upstream \"wbe\" (did you mean \"web\"?)"},
    {LOCATION("upstream = \"elsewhere\";"),          3, "it would stand in upstreams = ("},
    {LOCATION("upstream = 5;"),                      3, "5 is not the name of a upstream"},
    {"hosts = ( { name = \"h.example\"; identities = [ \"gww\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } ); } );", 1, "there is no identity \"gww\" (did you mean \"gw\"?)"},
    {CERT("mode = \"require\";\n trust = [ \"stuff\" ];"), 4, "there is no trust set \"stuff\" (did you mean \"staff\"?)"},
    {"listeners = ( { address = \"10.77.0.1:443\";\n default_host = \"other.example\"; } );", 2, "there is no host \"other.example\""},
    {"identities = ( { name = \"g w\"; cert = \"a\"; key = \"b\"; } );", 1, "\"g w\" is not a name"},
    {HOST("aliases = [ \"a..b\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "parts have 1 to 63 characters"},
    {HOST("aliases = [ \"a.*.b\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "'*' stands for the whole first part"},
    {HOST("aliases = [ \"a.example.\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "without the '.' at its end"},
    {HOST("aliases = [ \"a b\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "letters, digits, '-' and '.' only"},

    /* listeners and TLS */
    {"listeners = ( { address = \"10.77.0.1:80\"; tls = false; sni = \"required\"; } );", 1, "no server name without TLS"},
    {"hosts = ( { name = \"h.example\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); } );", 7, "hosts[h.example] has no identities, so it cannot answer with TLS"},
    {"hosts = ( { name = \"a.example\"; identities = \"gw\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); },\n { name = \"b.example\"; identities = \"gw\"; locations = ( { path = \"/\"; upstream = \"web\"; } ); } );\nlisteners = (\n { address = \"10.77.0.1:443\"; } );", 4, "default_host: is missing, and there are several hosts"},
    {"tls = { min = \"1.3\"; max = \"1.2\"; };",     1, "the lowest version is above the highest"},
    {"tls = { min = \"1.1\"; };",                    1, "\"1.1\" is not one of \"1.2\", \"1.3\""},
    {"tls = { min = 1.2; };",                        1, "1.2 is not one of"},
    {"tls = { ciphers12 = \"A::B\"; };",             1, "names with one ':' between them"},
    {"tls = { max = \"1.2\"; };\n" HOST("tls = { min = \"1.3\"; };\n locations = ( { path = \"/\"; upstream = \"web\"; } );"), 3, "hosts[h.example].tls: the lowest version is above the highest"},
    {HOST("alpn = [ \"h2\" ]; locations = ( { path = \"/\"; upstream = \"web\"; } );"), 2, "\"h2\" is not one of \"http/1.1\""},

    /* client certificates: closed when unclear */
    {CERT("mode = \"optional\";"),                   3, "no trust set says whose are good"},
    {CERT("mode = \"require\"; trust = [ ];"),       3, "no trust set says whose are good"},
    {CERT("mode = \"on\";"),                         3, "\"on\" is not one of \"none\", \"optional\""},
    {CERT("mode = \"require\"; trust = \"staff\"; on_missing = \"none\";"), 3, "\"none\" is not one of \"http\", \"tls\""},
    {CERT("mode = \"optional\"; trust = \"staff\"; max_depth = -2;"), 3, "-2 is below -1"},
    {LOCATION("upstream = \"web\";\n require = \"cert\";"), 4, "no trust set says whose certificates are good"},
    {LOCATION("upstream = \"web\";\n client_cert = {\n mode = \"require\"; };"), 5, "no trust set says whose are good"},
    {LOCATION("upstream = \"web\";\n client_cert = {\n on_bad = \"tls\"; };"), 5, "a request has a path only after the handshake"},
    {LOCATION("upstream = \"web\"; require = \"certificate\";"), 3, "\"certificate\" is not one of \"none\", \"cert\""},
    {"listeners = ( { address = \"10.77.0.1:80\"; tls = false; } );\nhosts = ( { name = \"h.example\";\n client_cert = { mode = \"require\"; trust = \"staff\"; };\n locations = ( { path = \"/\"; upstream = \"web\"; } ); } );", 3, "without TLS there are no client certificates"},
    {"trust = ( { name = \"staff\"; anchors = \"a\"; },\n { name = \"backends\"; anchors = \"b\"; partial_chain = true; } );\n" CERT("mode = \"require\"; trust = [ \"staff\", \"backends\" ];"), 5, "differ in partial_chain"},

    /* locations */
    {LOCATION(""),                                   2, "neither upstream nor respond says what to do"},
    {LOCATION("upstream = \"web\";\n respond = { status = 200; };"), 3, "either upstream or respond, not both"},
    {LOCATION("respond = { status = 302; };"),       3, "a redirection needs a Location"},
    {LOCATION("respond = { status = 204;\n body = \"x\"; };"), 4, "a 204 has no body"},
    {LOCATION("respond = { status = 99; };"),        3, "99 is below 200"},
    {HOST("locations = ( { path = \"/a\"; upstream = \"web\"; },\n { path = \"/a\"; upstream = \"web\"; } );"), 3, "never reached: /etc/sp/test.conf:2 has the same path"},
    {HOST("locations = ( { path = \"a\"; upstream = \"web\"; } );"), 2, "does not begin with '/'"},
    {HOST("locations = ( { path = \"/a//b\"; upstream = \"web\"; } );"), 2, "so this never matches"},
    {HOST("locations = ( { path = \"/a/../b\"; upstream = \"web\"; } );"), 2, "\"..\" resolved, so this never matches"},
    {HOST("locations = ( { path = \"/a?b\"; upstream = \"web\"; } );"), 2, "without query"},
    {HOST("locations = ( { path = \"/%61\"; upstream = \"web\"; } );"), 2, "write the character"},
    {HOST("locations = ( { path = \"/a%40b\"; upstream = \"web\"; } );"), 2, "write the character"},
    {HOST("locations = ( { path = \"/a;b\"; upstream = \"web\"; } );"), 2, "cut off"},
    {HOST("locations = ( { path = \"/a%2Fb\"; upstream = \"web\"; } );"), 2, "never matches"},
    {HOST("locations = ( { path = \"/a%2x\"; upstream = \"web\"; } );"), 2, "two digits"},
    {HOST("locations = ( { path = \"/a b\"; upstream = \"web\"; } );"), 2, "written as %XX"},

    /* upstreams */
    {UP("members = ( );"),                           2, "members: an empty list"},
    {UP("tls = {\n identity = \"gw-client\"; };\n members = ( { address = \"10.77.0.11:443\"; } );"), 2, "no certificate could be verified"},
    {MEMBER("address = \"10.77.0.11:80\"; },\n { address = \"10.77.0.11:80\";"), 4, "this address stands in the upstream twice (use weight"},
    {MEMBER("address = \"10.77.0.11:80\"; route = \"a\"; },\n { address = \"10.77.0.12:80\"; route = \"a\";"), 4, "\"a\" is the route of another member"},
    {MEMBER("address = \"10.77.0.11:80\"; weight = 1001;"), 3, "1001 is above 1000"},
    {MEMBER("address = \"10.77.0.11:80\"; host = \"a:b\";"), 3, "what follows ':' is not a port"},
    {MEMBER("address = \"10.77.0.11:80\"; host = \"*.a\";"), 3, "no '*' here"},
    {UP("sticky_cookie = \"ID\";\n members = ( { address = \"10.77.0.11:443\"; } );"), 2, "no member has a route to stay with (give each member a route)"},
    {UP("sticky_cookie = \"I D\";\n members = ( { address = \"10.77.0.11:443\"; route = \"a\"; } );"), 2, "\"I D\": letters, digits and"},
    {UP("tries = 17; members = ( { address = \"10.77.0.11:443\"; } );"), 2, "17 is above 16"},
    {UP("balance = \"least_con\"; members = ( { address = \"10.77.0.11:443\"; } );"), 2, "did you mean \"least_conn\"?"},

    /* the access log's format */
    {"access_log = { path = \"stdout\";\n format = \"%h %Z\"; };",      2, "access_log.format: at character 4: there is no %Z"},
    {"access_log = { path = \"stdout\";\n format = \"%{SSL_CYPHER}x\"; };", 2, "there is no such variable (did you mean \"SSL_CIPHER\"?)"},
    {"access_log = { path = \"stdout\";\n format = \"%{Referer\"; };",  2, "'{' without '}'"},
};
/* clang-format on */

static bool said(const struct report *r, const struct row *row)
{
    for (uint32_t i = 0; i < r->count; i++) {
        char line[2048];

        report_line(&r->entries[i], line, sizeof(line));
        if (r->entries[i].level == REPORT_ERROR && r->entries[i].line == row->line &&
            strstr(line, row->part) && strcmp(r->entries[i].file, "/etc/sp/test.conf") == 0)
            return true;
    }
    return false;
}

static void every_mistake_is_said_at_its_line(void)
{
    struct report *r = report_new();

    T_NEED(r != NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cfg *c = NULL;

        if (IS_OK(conf_parse(rows[i].own, r, &c)))
            t_fail(__FILE__, __LINE__, "accepted: %s", rows[i].own);
        else if (!said(r, &rows[i]))
            t_fail(__FILE__, __LINE__, "line %d, '%s' not said about:\n%s\nbut:\n%s", rows[i].line,
                   rows[i].part, rows[i].own, conf_report(r));
        else
            t_pass(rows[i].part);
        cfg_free(c);
        report_clear(r);
    }
    report_free(r);
}

static void there_are_at_least_fifty_rows(void)
{
    T_OK(ARRAY_LEN(rows) >= 50);
}

static void all_mistakes_are_said_at_once(void)
{
    struct report *r = report_new();
    struct cfg *c = NULL;

    T_NEED(r != NULL);
    T_OK(!IS_OK(conf_parse("corse = 1;\npoll = \"x\";\nmin_rsa_bits = 1;\n" LOCATION(
                               "upstream = \"nobody\";\nfoo = 1;"),
                           r, &c)));
    T_EQ(r->errors, 5);
    T_OK(c != NULL); /* its trust sets can be looked at nonetheless */
    cfg_free(c);
    report_free(r);
}

#define TESTS(X)                         \
    X(every_mistake_is_said_at_its_line) \
    X(there_are_at_least_fifty_rows) X(all_mistakes_are_said_at_once)
T_MAIN("cfg_bad", TESTS)
