#include "config/cfg_near.h"
#include "lib/t.h"

static void distances(void)
{
    static const struct {
        const char *a, *b;
        unsigned want;
    } rows[] = {
        {"", "", 0},         {"a", "", 1},
        {"", "abc", 3},      {"cert", "cert", 0},
        {"cert", "Cert", 0}, {"certt", "cert", 1},
        {"crt", "cert", 1},  {"cetr", "cert", 1},
        {"bert", "cert", 1}, {"kitten", "sitting", 3},
        {"ab", "ba", 1},     {"abc", "ca", 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        T_ROW_EQ(rows[i].a, cfg_distance(rows[i].a, rows[i].b), rows[i].want);
        T_ROW_EQ(rows[i].b, cfg_distance(rows[i].b, rows[i].a), rows[i].want);
    }
}

static void long_words_are_not_compared(void)
{
    char word[CFG_NEAR_MAX + 2];

    memset(word, 'a', sizeof(word));
    word[CFG_NEAR_MAX + 1] = '\0';
    T_EQ(cfg_distance(word, "a"), UINT32_MAX);
    T_EQ(cfg_distance("a", word), UINT32_MAX);
    word[CFG_NEAR_MAX] = '\0';
    T_EQ(cfg_distance(word, "a"), CFG_NEAR_MAX - 1);
}

static const char *nearest(const char *word, const char *const *among)
{
    struct cfg_near n = cfg_near_of(word);

    for (; *among; among++)
        cfg_near_try(&n, *among);
    return n.best ? n.best : "";
}

static void only_what_is_near_is_proposed(void)
{
    static const char *const among[] = {"upstream", "respond", "path", "exact", NULL};

    T_STR(nearest("upstraem", among), "upstream");
    T_STR(nearest("upstreams", among), "upstream");
    T_STR(nearest("paht", among), "path");
    T_STR(nearest("route", among), "");
    T_STR(nearest("", among), "");
}

static void the_hint_is_a_question(void)
{
    struct cfg_near n = cfg_near_of("pth");
    char text[64];
    struct sb s = sb_of(text, sizeof(text));

    T_OK(cfg_near_hint(&n, &s) == NULL);
    cfg_near_try(&n, "path");
    T_STR(cfg_near_hint(&n, &s), "did you mean \"path\"?");
}

#define TESTS(X) \
    X(distances) \
    X(long_words_are_not_compared) X(only_what_is_near_is_proposed) X(the_hint_is_a_question)
T_MAIN("cfg_near", TESTS)
