#include "crypto/revocation.h"
#include "crypto/trust.h"
#include "lib/t.h"
#include "lib/tmp.h"

/* Two CAs, "A" and "O", and lists that they have signed: A's of number 5 and 6, its delta 7 for 5, one for a distribution
 * point; one of O. Both CAs have the serial number 7, which the delta revokes, and O's own list. */
/* clang-format off */
static const char ca_hex[] =
    "3082014a3081f1a003020102020107300a06082a8648ce3d040302300c310a300806035504030c0141302017"
    "0d3236303630313030303030305a180f32303536303630313030303030305a300c310a300806035504030c01"
    "413059301306072a8648ce3d020106082a8648ce3d030107034200046823332069c60ba4c7541d369c70547c"
    "cc393df0b36678ce76ab0385e0b491319a5f3253b9a1fd6c76a8ec4ce1119ded677796ed8cec2e83df652afc"
    "5e186a02a3423040300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020106301d06"
    "03551d0e04160414488d990d3718e9181952422e21df11cd8970e58e300a06082a8648ce3d04030203480030"
    "4502200fc2f35511b221df66ce6a9cb2beeac26a4e5ae753aedf779dae91feabe0641a022100a12a436d1f0c"
    "e0aef394465e7efd5b9799a7066db4948a10c9e26d9e4ff7dcb9";
static const char other_ca_hex[] =
    "3082014a3081f1a003020102020107300a06082a8648ce3d040302300c310a300806035504030c014f302017"
    "0d3236303630313030303030305a180f32303536303630313030303030305a300c310a300806035504030c01"
    "4f3059301306072a8648ce3d020106082a8648ce3d030107034200044ca53d712ed39c57f4718011b5241132"
    "5f8954a9780394781ceb2874c4065020cd9e0826c833882abd97e01b348832a104202641b8dc0f04d9fcaebc"
    "5891c449a3423040300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020106301d06"
    "03551d0e04160414d8a940f6d3b5568471d405315be100c9e8fe8908300a06082a8648ce3d04030203480030"
    "450221008e58b21645422f69bf9ded897ddddf68b22adf0d0378cfe865d859ac6a31a0de0220028ba686804a"
    "ed336263066f7c07bf1f2897146f1de14f1e428e3918350b0000";
static const char plain_hex[] =
    "308201043081ab020101300a06082a8648ce3d040302300c310a300806035504030c0141170d323630363031"
    "3030303030305a170d3236303630383030303030305a303d3012020101170d3236303630313030303030305a"
    "3012020102170d3236303630313030303030305a30130202012c170d3236303630313030303030305aa02f30"
    "2d300a0603551d140403020105301f0603551d23041830168014488d990d3718e9181952422e21df11cd8970"
    "e58e300a06082a8648ce3d0403020348003045022100d797d76c0d0a42640090381980492fdd913add6adcba"
    "79c9100fbda035a4ff3e02206ca612f076e3e0a55edb59700958bc49760a9299210f364d806da114cc423d7a";
static const char newer_hex[] =
    "308201173081bf020101300a06082a8648ce3d040302300c310a300806035504030c0141170d323630363032"
    "3030303030305a170d3236303630393030303030305a30513012020101170d3236303630313030303030305a"
    "3012020102170d3236303630313030303030305a30130202012c170d3236303630313030303030305a301202"
    "0104170d3236303630313030303030305aa02f302d300a0603551d140403020106301f0603551d2304183016"
    "8014488d990d3718e9181952422e21df11cd8970e58e300a06082a8648ce3d040302034700304402202efdd4"
    "3334ee8d78689a2a03649cdf3fa9c011d971eb75820a3b41891f162791022009bf7edd426e4c5597e7c08c74"
    "92220b21da4bdd71d87acb6ca7285fc2026d00";
static const char delta_hex[] =
    "3081ea308191020101300a06082a8648ce3d040302300c310a300806035504030c0141170d32363036303330"
    "30303030305a170d3236303631303030303030305a30143012020107170d3236303630313030303030305aa0"
    "3e303c300a0603551d140403020107301f0603551d23041830168014488d990d3718e9181952422e21df11cd"
    "8970e58e300d0603551d1b0101ff0403020105300a06082a8648ce3d04030203480030450220400cf4c0b104"
    "3ad2d9062b6aa48eb20de4c214b430dd5e3b036f99c20f449dd2022100b5668582be0049ce7eba1a879fed18"
    "25c4452005926beaa67ff90e70ad45979a";
static const char point_hex[] =
    "308201053081ac020101300a06082a8648ce3d040302300c310a300806035504030c0141170d323630363031"
    "3030303030305a170d3236303630383030303030305a30143012020109170d3236303630313030303030305a"
    "a0593057300a0603551d140403020101301f0603551d23041830168014488d990d3718e9181952422e21df11"
    "cd8970e58e30280603551d1c0101ff041e301ca01aa0188616687474703a2f2f612e6578616d706c652f392e"
    "63726c300a06082a8648ce3d04030203480030450220091088c43a1cf2e3c8225c83eab7f8d8b7a1b1ac0de5"
    "fc561a3e667ee7f66fd5022100be0f85e691e4909a7b677d2e1ac33ff49af6fdafde4aef2ef6f29fa2b5a4e0"
    "ac";
static const char other_hex[] =
    "3081db308182020101300a06082a8648ce3d040302300c310a300806035504030c014f170d32363036303130"
    "30303030305a170d3236303630383030303030305a30143012020107170d3236303630313030303030305aa0"
    "2f302d300a0603551d140403020109301f0603551d23041830168014d8a940f6d3b5568471d405315be100c9"
    "e8fe8908300a06082a8648ce3d0403020348003045022100ba82143a8bde92c75de2c5935a7d0f3f1d0dc508"
    "6c5ad09d004390930df270da022054cdb716cfe3902ace1a2dbc944f21272f0dfee0e9b4861634e5f618b756"
    "60ea";
/* clang-format on */

#define DAY   86400LL
#define BEGIN 1780272000LL /* 2026-06-01, thisUpdate of the first; each holds for a week */

struct bytes {
    uint8_t p[1024];
    size_t len;
};

static struct bytes hex(const char *text)
{
    struct bytes b = {.len = strlen(text) / 2};

    T_NEED(b.len <= sizeof(b.p));
    for (size_t i = 0; i < b.len; i++) {
        unsigned v = 0;

        T_NEED(sscanf(text + 2 * i, "%2x", &v) == 1);
        b.p[i] = (uint8_t)v;
    }
    return b;
}

static const char *write_hex(struct tmp *t, const char *name, const char *text)
{
    const char *path = tmp_path(t, name);
    struct bytes b = hex(text);
    FILE *f = fopen(path, "wb");

    T_NEED(f && fwrite(b.p, 1, b.len, f) == b.len && fclose(f) == 0);
    return path;
}

struct fix {
    struct tmp tmp;
    struct report *report;
    struct trust *t;
    struct bytes ca_der;
    struct cert ca;
};

/* CA A; with a list in a file, or waiting for those that come. */
static void begin(struct fix *f, const char *list, bool later)
{
    const char *anchor, *file, *why;

    memset(f, 0, sizeof(*f));
    tmp_begin(&f->tmp);
    f->report = report_new();
    anchor = write_hex(&f->tmp, "ca.der", ca_hex);
    file = list ? write_hex(&f->tmp, "list.crl", list) : NULL;
    T_OK(IS_OK(trust_load(&(struct trust_source){.name = "a",
                                                 .anchor_files = &anchor,
                                                 .anchor_count = 1,
                                                 .crl_files = &file,
                                                 .crl_count = list != NULL,
                                                 .crl_later = later,
                                                 .crl_rules = {.check = CRL_CHECK_CHAIN}},
                          f->report, &f->t)));
    for (uint32_t i = 0; i < f->report->count; i++)
        fprintf(stderr, "%s\n", f->report->entries[i].what);
    T_NEED(f->t != NULL);
    f->ca_der = hex(ca_hex);
    T_NEED(IS_OK(cert_parse(span_of(f->ca_der.p, f->ca_der.len), &f->ca, &why)));
}

static void end(struct fix *f)
{
    trust_unref(f->t);
    report_free(f->report);
    tmp_end(&f->tmp);
}

static res read_list(struct fix *f, struct span text, char why[512], struct crl **lists, size_t *n)
{
    const struct trust *signers = f->t;
    struct sb s = sb_of(why, 512);

    return revocation_read(&(struct revocation_signers){&signers, 1, NULL, 0}, text, &s, lists, 4,
                           n);
}

static struct crl *list_of(struct fix *f, const char *text)
{
    struct bytes b = hex(text);
    struct crl *lists[4] = {NULL};
    char why[512];
    size_t n;

    if (!IS_OK(read_list(f, span_of(b.p, b.len), why, lists, &n)))
        t_fail(__FILE__, __LINE__, "%s", why);
    T_NEED(lists[0] != NULL);
    return lists[0];
}

static enum crl_answer ask(const struct fix *f, const struct trust *t, int64_t now_s)
{
    struct revocation_answer a;

    T_NEED(trust_revocation(t) != NULL);
    revocation_ask(trust_revocation(t), &f->ca, &f->ca, now_s, &a);
    return a.what;
}

static void lists_are_taken_of_whom_they_may(void)
{
    struct fix f;
    struct bytes b;
    struct crl *lists[4];
    char why[512];
    size_t n;

    begin(&f, NULL, true);
    crl_unref(list_of(&f, plain_hex));
    b = hex(other_hex);
    T_OK(!IS_OK(read_list(&f, span_of(b.p, b.len), why, lists, &n)));
    T_STR(why, "no CA of the set has signed it; its issuer is CN=O");
    T_EQ(n, 0);
    T_OK(!IS_OK(read_list(&f, SPAN_LIT("<html>"), why, lists, &n)));
    T_STR(why, "neither DER nor PEM");
    T_OK(!IS_OK(read_list(&f, SPAN_NONE, why, lists, &n)));
    b = hex(ca_hex);
    T_OK(!IS_OK(read_list(&f, span_of(b.p, b.len), why, lists, &n)));
    T_OK(strncmp(why, "not usable: ", 12) == 0);
    T_OK(!IS_OK(
        read_list(&f, SPAN_LIT("-----BEGIN X-----\nAAAA\n-----END X-----\n"), why, lists, &n)));
    T_STR(why, "there is no list in it");
    end(&f);
}

static void one_byte_less_or_another_and_it_is_none(void)
{
    struct fix f;
    struct bytes good, b;
    struct crl *lists[4];
    char why[512];
    size_t n;

    begin(&f, NULL, true);
    good = hex(delta_hex);
    for (size_t i = 0; i < good.len; i++) {
        T_OK(!IS_OK(read_list(&f, span_of(good.p, i), why, lists, &n)));
        for (int bit = 0; bit < 8; bit++) {
            b = good;
            b.p[i] ^= (uint8_t)(1 << bit);
            why[0] = '\0';
            if (IS_OK(read_list(&f, span_of(b.p, b.len), why, lists, &n)) || n || !why[0])
                t_fail(__FILE__, __LINE__, "bit %d of byte %zu: %s", bit, i, why);
        }
    }
    end(&f);
}

static void scopes_and_ages(void)
{
    struct fix f;
    struct crl *plain, *newer, *delta, *point;

    begin(&f, NULL, true);
    plain = list_of(&f, plain_hex);
    newer = list_of(&f, newer_hex);
    delta = list_of(&f, delta_hex);
    point = list_of(&f, point_hex);
    T_OK(crl_same_scope(plain, newer) && crl_same_scope(newer, plain));
    T_OK(!crl_same_scope(plain, delta) && !crl_same_scope(plain, point));
    T_OK(crl_older(plain, newer) && !crl_older(newer, plain) && !crl_older(plain, plain));
    T_OK(crl_delta_fits(plain, delta) && crl_delta_fits(newer, delta));
    T_OK(!crl_delta_fits(point, delta) && !crl_delta_fits(delta, delta) &&
         !crl_delta_fits(plain, newer));
    T_OK(crl_signed_by(plain, &f.ca));
    crl_unref(plain);
    crl_unref(newer);
    crl_unref(delta);
    crl_unref(point);
    end(&f);
}

static void a_set_with_other_lists_shares_the_rest(void)
{
    struct fix f;
    struct crl *plain, *delta, *two[2];
    struct trust *with, *again, *none;

    begin(&f, NULL, true);
    plain = list_of(&f, plain_hex);
    delta = list_of(&f, delta_hex);
    T_EQ(ask(&f, f.t, BEGIN + DAY), CRL_NO_LIST);
    T_NEED(IS_OK(trust_with_lists(f.t, &plain, 1, NULL, 0, &with)));
    T_EQ(ask(&f, with, BEGIN + DAY), CRL_GOOD);
    T_EQ(ask(&f, with, BEGIN + 8 * DAY), CRL_STALE);
    T_EQ(ask(&f, with, BEGIN - DAY), CRL_STALE);
    T_OK(memcmp(trust_id(with), trust_id(f.t), 32) != 0);
    T_OK(trust_entry_at(with, 0) == trust_entry_at(f.t, 0));

    two[0] = delta, two[1] = plain;
    T_NEED(IS_OK(trust_with_lists(with, two, 2, NULL, 0, &again))); /* of the base, not of `with` */
    T_EQ(revocation_lists(trust_revocation(again)), 1);
    T_EQ(ask(&f, again, BEGIN + 3 * DAY), CRL_REVOKED);
    T_EQ(ask(&f, with, BEGIN + 3 * DAY), CRL_GOOD);
    trust_unref(with);
    two[0] = plain, two[1] = delta;
    T_NEED(IS_OK(trust_with_lists(f.t, two, 2, NULL, 0, &with)));
    T_OK(memcmp(trust_id(with), trust_id(again), 32) == 0); /* in whatever order */
    crl_unref(plain);                                       /* the sets have their own references */
    T_EQ(ask(&f, with, BEGIN + 3 * DAY), CRL_REVOKED);

    T_NEED(IS_OK(trust_with_lists(again, NULL, 0, NULL, 0, &none)));
    T_OK(none == f.t);
    trust_unref(none);
    T_NEED(
        IS_OK(trust_with_lists(f.t, &delta, 1, NULL, 0, &none))); /* a delta alone says nothing */
    T_EQ(ask(&f, none, BEGIN + 3 * DAY), CRL_NO_LIST);
    trust_unref(none);
    crl_unref(delta);
    trust_unref(with);
    end(&f);
    trust_unref(again);
}

static void lists_of_files_stay(void)
{
    struct fix f;
    struct crl *delta;
    struct trust *with;

    begin(&f, plain_hex, false);
    delta = list_of(&f, delta_hex);
    T_EQ(ask(&f, f.t, BEGIN + 3 * DAY), CRL_GOOD);
    T_NEED(IS_OK(trust_with_lists(f.t, &delta, 1, NULL, 0, &with)));
    T_EQ(ask(&f, with, BEGIN + 3 * DAY), CRL_REVOKED);
    trust_unref(with);
    crl_unref(delta);
    end(&f);
}

static void a_delta_in_a_file_may_wait_only_where_lists_come(void)
{
    struct fix f;
    const char *anchor, *file;
    struct trust *t = NULL;

    begin(&f, delta_hex, true);
    anchor = tmp_path(&f.tmp, "ca.der");
    file = tmp_path(&f.tmp, "list.crl");
    T_OK(!IS_OK(trust_load(&(struct trust_source){.name = "a",
                                                  .anchor_files = &anchor,
                                                  .anchor_count = 1,
                                                  .crl_files = &file,
                                                  .crl_count = 1,
                                                  .crl_rules = {.check = CRL_CHECK_CHAIN}},
                           f.report, &t)));
    T_OK(strstr(f.report->entries[0].what, "a delta without its list") != NULL);
    end(&f);
}

static void lists_of_others_are_left_out(void)
{
    struct fix f, o;
    struct crl *other;
    struct trust *with, *to;
    struct bytes b = hex(other_ca_hex);
    struct span der = span_of(b.p, b.len);

    begin(&f, NULL, true);
    memset(&o, 0, sizeof(o));
    T_NEED(IS_OK(trust_from_der("o", &der, 1, NULL, 0, false, f.report, &to)));
    o.t = to;
    other = list_of(&o, other_hex);
    T_NEED(IS_OK(trust_with_lists(f.t, &other, 1, NULL, 0, &with)));
    T_OK(with == f.t);
    trust_unref(with);
    T_NEED(IS_OK(
        trust_with_lists(to, &other, 1, NULL, 0, &with))); /* it does not check revocation at all */
    T_OK(with == to && !trust_revocation(with));
    trust_unref(with);
    trust_unref(to);
    crl_unref(other);
    end(&f);
}

#define URI(len, text) "\x86" len text

static void distribution_points(void)
{
    static const struct {
        const char *name;
        struct span der;
        size_t want;
        const char *first;
    } rows[] = {
        {"one", SPAN_LIT("\x30\x13\x30\x11\xa0\x0f\xa0\x0d" URI("\x0b", "http://a/b0")), 1,
         "http://a/b0"},
        {"the second name can be fetched",
         SPAN_LIT("\x30\x16\x30\x14\xa0\x12\xa0\x10" URI("\x03", "ldp") URI("\x09", "HTTPS://a")),
         1, "HTTPS://a"},
        {"two",
         SPAN_LIT("\x30\x20\x30\x0e\xa0\x0c\xa0\x0a" URI(
             "\x08", "http://a") "\x30\x0e\xa0\x0c\xa0\x0a" URI("\x08", "http://b")),
         2, "http://a"},
        {"none can be fetched", SPAN_LIT("\x30\x0e\x30\x0c\xa0\x0a\xa0\x08" URI("\x06", "ldap:/")),
         0, NULL},
        {"for some reasons",
         SPAN_LIT("\x30\x14\x30\x12\xa0\x0c\xa0\x0a" URI("\x08", "http://a") "\x81\x02\x01\x02"), 0,
         NULL},
        {"of another issuer",
         SPAN_LIT("\x30\x12\x30\x10\xa0\x0c\xa0\x0a" URI("\x08", "http://a") "\xa2\x00"), 0, NULL},
        {"relative to the issuer", SPAN_LIT("\x30\x06\x30\x04\xa0\x02\xa1\x00"), 0, NULL},
        {"nothing", SPAN_LIT(""), 0, NULL},
        {"an empty list", SPAN_LIT("\x30\x00"), 0, NULL},
        {"more behind it",
         SPAN_LIT("\x30\x10\x30\x0e\xa0\x0c\xa0\x0a" URI("\x08", "http://a") "\x00"), 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span urls[4];

        T_ROW_EQ(rows[i].name, crl_points(rows[i].der, urls, 4), rows[i].want);
        if (rows[i].want)
            T_SPAN(urls[0], rows[i].first);
        T_ROW_EQ(rows[i].name, crl_points(rows[i].der, urls, 1), rows[i].want > 0);
        for (size_t len = 0; rows[i].want && len < rows[i].der.len; len++)
            T_ROW_EQ(rows[i].name, crl_points(span_first(rows[i].der, len), urls, 4), 0);
    }
}

/* Both have several names: one in common is enough (RFC 5280 6.3.3 (b)(2)(i)). */
static void a_point_by_any_of_its_names(void)
{
    static const struct span a = SPAN_LIT(URI("\x08", "http://a")),
                             b = SPAN_LIT(URI("\x08", "http://b")),
                             both = SPAN_LIT(URI("\x08", "http://b") URI("\x08", "http://c")),
                             part = SPAN_LIT(URI("\x07", "http://"));
    static const struct span two = SPAN_LIT("\x30\x20\x30\x0e\xa0\x0c\xa0\x0a" URI(
        "\x08", "http://a") "\x30\x0e\xa0\x0c\xa0\x0a" URI("\x08", "http://b"));
    static const struct span reasons =
        SPAN_LIT("\x30\x14\x30\x12\xa0\x0c\xa0\x0a" URI("\x08", "http://a") "\x81\x02\x01\x02");

    T_OK(crl_point_named(two, a) && crl_point_named(two, b) && crl_point_named(two, both));
    T_OK(!crl_point_named(two, part) && !crl_point_named(two, SPAN_NONE));
    T_OK(!crl_point_named(SPAN_NONE, a) && !crl_point_named(SPAN_NONE, SPAN_NONE));
    T_OK(!crl_point_named(reasons, a)); /* for these reasons only: the others would go unnoticed */
    for (size_t len = 0; len < two.len; len++)
        T_OK(!crl_point_named(span_first(two, len), a));
    for (size_t len = 0; len < b.len; len++)
        T_OK(!crl_point_named(two, span_first(b, len)));
}

#define TESTS(X)                                                               \
    X(lists_are_taken_of_whom_they_may)                                        \
    X(one_byte_less_or_another_and_it_is_none)                                 \
    X(scopes_and_ages)                                                         \
    X(a_set_with_other_lists_shares_the_rest)                                  \
    X(lists_of_files_stay) X(a_delta_in_a_file_may_wait_only_where_lists_come) \
        X(lists_of_others_are_left_out) X(distribution_points) X(a_point_by_any_of_its_names)
T_MAIN("revocation", TESTS)
