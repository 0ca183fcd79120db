#include "control/show.h"
#include "lib/t.h"

static char *out, *err;

static void show(const char *json)
{
    json_t *o = json_loads(json, 0, NULL);
    size_t n;
    FILE *fo, *fe;

    free(out);
    free(err);
    out = err = NULL;
    fo = open_memstream(&out, &n);
    fe = open_memstream(&err, &n);
    T_NEED(o != NULL && fo != NULL && fe != NULL);
    show_answer(o, fo, fe);
    fclose(fo);
    fclose(fe);
    json_decref(o);
}

static void mistakes_are_said_as_everywhere_else(void)
{
    show("{\"ok\":false,\"errors\":[{\"file\":\"a.conf\",\"line\":3,\"what\":\"wrong\",\"hint\":"
         "\"do\"},{\"what\":\"x\"}],\"more\":7}");
    T_STR(out, "");
    T_STR(err, "a.conf:3: wrong (do)\nx\n... and 7 more\n");
    show("{\"ok\":true,\"warnings\":[{\"file\":\"a\",\"what\":\"odd\"}]}");
    T_STR(err, "a: warning: odd\n");
    T_STR(out, "");
}

static void scalars_and_tables(void)
{
    show("{\"ok\":true,\"state\":\"running\",\"n\":5,\"list\":[{\"a\":\"x\",\"b\":true},{\"a\":"
         "\"longer\",\"b\":null}]}");
    T_STR(out, "state               running\nn                   5\n\nlist\na       b\nx       "
               "yes\nlonger  -\n");
}

static void wide_tables_are_turned(void)
{
    show("{\"ok\":true,\"cores\":[{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"long\":70},{"
         "\"a\":10,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"long\":7}]}");
    T_OK(strstr(out, "\ncores\na     1     10\n") != NULL);
    T_OK(strstr(out, "long  70    7\n") != NULL);
}

static void what_does_not_fit_beside_stands_below(void)
{
    char text[4096] = "{\"ok\":true,\"t\":[";

    for (int i = 0; i < 3; i++)
        sprintf(text + strlen(text),
                "%s{\"a\":\"%060d\",\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":%d}",
                i ? "," : "", i, i);
    strcat(text, "]}");
    show(text);
    T_OK(
        strstr(out,
               "\ng  0                                                             1\n\na  0000") !=
        NULL);
    T_OK(strstr(out, "\ng  2\n") != NULL);
}

static void counters_that_never_moved_are_only_counted(void)
{
    show("{\"ok\":true,\"blocks\":[{\"block\":\"tcp\",\"counters\":[{\"counter\":\"in\",\"value\":"
         "5,\"help\":\"h\"},{\"counter\":\"out\",\"value\":0,\"help\":\"h\"}]}]}");
    T_STR(out, "\ntcp\ncounter  value  help\nin       5      h\n(1 more is 0)\n");
}

static void texts_of_several_lines_stand_alone(void)
{
    show("{\"ok\":true,\"config\":\"a = 1;\\nb = 2;\\n\"}");
    T_STR(out, "a = 1;\nb = 2;\n");
}

static void a_terminal_gets_no_control_characters(void)
{
    show("{\"ok\":true,\"x\":\"a\\u001b[2Jb\",\"list\":[{\"a\":\"\\u0007\"}],\"long\":"
         "\"l\\n\\u001b\"}");
    T_OK(!strchr(out, 0x1b) && !strchr(out, 7));
    show("{\"ok\":false,\"errors\":[{\"what\":\"\\u001b]0;x\"}]}");
    T_OK(!strchr(err, 0x1b));
}

static void odd_answers_do_no_harm(void)
{
    show("{}");
    T_STR(out, "");
    show("{\"ok\":true,\"list\":[],\"o\":{},\"l\":[1,2],\"blocks\":5,\"errors\":\"x\"}");
    show("{\"ok\":true,\"list\":[{\"a\":1},{\"b\":2},5,{\"a\":[]}]}");
    T_OK(strstr(out, "a\n1\n-\n-\n-\n") != NULL);
    free(out);
    free(err);
    out = err = NULL;
}

#define TESTS(X)                                                                            \
    X(mistakes_are_said_as_everywhere_else)                                                 \
    X(scalars_and_tables)                                                                   \
    X(wide_tables_are_turned) X(what_does_not_fit_beside_stands_below)                      \
        X(counters_that_never_moved_are_only_counted) X(texts_of_several_lines_stand_alone) \
            X(a_terminal_gets_no_control_characters) X(odd_answers_do_no_harm)
T_MAIN("show", TESTS)
