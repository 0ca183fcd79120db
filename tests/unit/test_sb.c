#include "base/sb.c" /* white box */
#include "lib/t.h"

static void what_does_not_fit_is_cut_and_known(void)
{
    char text[8];
    struct sb s = sb_of(text, sizeof(text));

    sb_str(&s, "abc");
    sb_u64(&s, 1234);
    T_STR(text, "abc1234");
    T_OK(!s.cut);
    sb_char(&s, 'x');
    T_OK(s.cut);
    T_STR(text, "abc1234");
    sb_back(&s, 3);
    sb_fmt(&s, "%d-%s", 7, "long text");
    T_OK(s.cut);
    T_STR(text, "abc7-lo");
}

static void numbers_and_hex(void)
{
    char text[64];
    struct sb s = sb_of(text, sizeof(text));

    sb_u64(&s, 0);
    sb_char(&s, ' ');
    sb_u64(&s, UINT64_MAX);
    sb_char(&s, ' ');
    sb_hex(&s, SPAN_LIT("\x01\xfe"));
    T_STR(text, "0 18446744073709551615 01fe");
}

static void json_strings_are_always_valid(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "\"plain\""},
        {"a\"b\\c\n\r\t", "\"a\\\"b\\\\c\\n\\r\\t\""},
        {"\x01\x7f", "\"\\u0001\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xff\xc3", "\"\\u00ff\\u00c3\""},
        {"\xc0\x80", "\"\\u00c0\\u0080\""},            /* overlong */
        {"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""}, /* surrogate */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        struct sb s = sb_of(text, sizeof(text));

        sb_json(&s, span_str(rows[i].in));
        T_STR(text, rows[i].out);
    }
}

#define TESTS(X) \
    X(what_does_not_fit_is_cut_and_known) X(numbers_and_hex) X(json_strings_are_always_valid)
T_MAIN("sb", TESTS)
