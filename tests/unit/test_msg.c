#include "control/msg.h"
#include "lib/conf.h"
#include "lib/t.h"

static struct msg m;
static struct report *report;

static bool parse(const char *text)
{
    if (!report)
        report = report_new();
    report_clear(report);
    return IS_OK(msg_parse(span_str(text), report, &m));
}

static void commands_and_arguments(void)
{
    T_OK(parse("{\"cmd\":\"status\"}"));
    T_EQ(m.cmd, MSG_STATUS);
    T_OK(parse("{\"block\":\"tcp\",\"cmd\":\"stats\",\"core\":3}"));
    T_EQ(m.cmd, MSG_STATS);
    T_OK(m.args[0].given && m.args[1].given);
    T_STR(m.args[0].text, "tcp");
    T_EQ(m.args[1].number, 3);
    T_OK(parse("{\"cmd\":\"stop\",\"deadline\":\"250ms\"}"));
    T_EQ(m.args[0].number, 250);
    T_OK(parse("{\"cmd\":\"stop\",\"deadline\":2}"));
    T_EQ(m.args[0].number, 2000);
    T_OK(parse("{\"cmd\":\"version\",\"verbose\":true}"));
    T_EQ(m.args[0].number, 1);
    T_OK(parse(" {\"cmd\":\"reload\"} \r"));
    T_OK(!m.args[0].given);
}

static void what_is_not_known_is_refused(void)
{
    static const struct {
        const char *text, *say;
    } rows[] = {
        {"", "not JSON"},
        {"status", "not JSON"},
        {"{", "not JSON"},
        {"{\"cmd\":\"status\"} x", "not JSON"},
        {"{\"cmd\":\"status\",\"cmd\":\"stop\"}", "not JSON"},
        {"\xff", "not JSON"},
        {"[]", "not a JSON object"},
        {"\"status\"", "not JSON"},
        {"{}", "no command"},
        {"{\"cmd\":1}", "no command"},
        {"{\"cmd\":null}", "no command"},
        {"{\"cmd\":\"statu\"}", "there is no command \"statu\" (did you mean \"status\"?)"},
        {"{\"cmd\":\"xyzzy\"}", "(see the command help)"},
        {"{\"cmd\":\"\"}", "there is no command \"\""},
        {"{\"cmd\":\"status\\u0000x\"}", "not JSON"},
        {"{\"cmd\":\"status\",\"verbose\":true}", "the command has no argument \"verbose\""},
        {"{\"cmd\":\"reload\",\"fil\":\"x\"}", "no argument \"fil\" (did you mean \"file\"?)"},
        {"{\"cmd\":\"reload\",\"file\":5}", "not a text of 1 to 4095 bytes: \"file\""},
        {"{\"cmd\":\"reload\",\"file\":\"\"}", "not a text of 1 to 4095 bytes"},
        {"{\"cmd\":\"stats\",\"core\":-1}", "not a whole number"},
        {"{\"cmd\":\"stats\",\"core\":1.5}", "not a whole number"},
        {"{\"cmd\":\"stats\",\"core\":\"1\"}", "not a whole number"},
        {"{\"cmd\":\"stats\",\"core\":99999999999}", "not a whole number"},
        {"{\"cmd\":\"stop\",\"deadline\":\"soon\"}",
         "not a duration: \"deadline\" (write a number of seconds"},
        {"{\"cmd\":\"stop\",\"deadline\":-1}", "not a duration"},
        {"{\"cmd\":\"stop\",\"deadline\":[]}", "not a duration"},
        {"{\"cmd\":\"stop\",\"deadline\":\"1000d\"}", "not a duration"},
        {"{\"cmd\":\"version\",\"verbose\":1}", "neither true nor false"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (parse(rows[i].text) || !strstr(conf_report(report), rows[i].say))
            t_fail(__FILE__, __LINE__, "'%s': %s", rows[i].text, conf_report(report));
        else
            t_pass(rows[i].say);
    }
}

static void all_mistakes_are_said(void)
{
    T_OK(!parse("{\"cmd\":\"stats\",\"core\":-1,\"x\":1,\"block\":2}"));
    T_EQ(report->errors, 3);
}

static void depth_and_length_are_bounded(void)
{
    char *text = (char *)malloc(MSG_MAX_B + 2);

    memset(text, '[', MSG_MAX_B);
    text[MSG_MAX_B] = '\0';
    T_OK(!parse(text));
    text[MSG_MAX_B] = '[';
    text[MSG_MAX_B + 1] = '\0';
    T_OK(!parse(text));
    T_OK(strstr(conf_report(report), "more than 64 KB") != NULL);
    free(text);
}

static void cut_and_changed_messages_do_no_harm(void)
{
    static const char text[] = "{\"cmd\":\"stats\",\"block\":\"tcp\",\"core\":3}";
    char copy[sizeof(text)];

    for (size_t i = 0; i < 2 * (sizeof(text) - 1); i++) {
        memcpy(copy, text, sizeof(text));
        if (i < sizeof(text) - 1)
            copy[i] = '\0';
        else
            copy[i - (sizeof(text) - 1)] ^= 0x21;
        T_OK(parse(copy) == (report->errors == 0));
    }
    report_free(report);
    report = NULL;
}

static void the_table_is_complete(void)
{
    for (size_t i = 0; i < MSG_COUNT; i++) {
        T_OK(msg_descs[i].name && msg_descs[i].help);
        T_OK(msg_find(msg_descs[i].name) == &msg_descs[i]);
    }
    T_OK(msg_find("no") == NULL);
}

#define TESTS(X)                                                                             \
    X(commands_and_arguments)                                                                \
    X(what_is_not_known_is_refused) X(all_mistakes_are_said) X(depth_and_length_are_bounded) \
        X(cut_and_changed_messages_do_no_harm) X(the_table_is_complete)
T_MAIN("msg", TESTS)
