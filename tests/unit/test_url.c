#include "base/url.h"
#include "lib/t.h"

static void urls_are_judged(void)
{
    static const struct {
        const char *url;
        enum url_scheme want;
    } rows[] = {
        {"http://a.example/x.crl", URL_HTTP},
        {"HTTPS://a.example", URL_HTTPS},
        {"http://[2001:db8::1]:80/?a=b@c", URL_HTTP},
        {"http://a.example?x", URL_HTTP},
        {"file:///etc/x", URL_FILE},
        {"file://host/etc/x", URL_NONE},
        {"file:///", URL_NONE},
        {"file://", URL_NONE},
        {"ftp://a.example/", URL_NONE},
        {"ldap://a.example/cn=x", URL_NONE},
        {"a.example/x", URL_NONE},
        {"http:/a.example", URL_NONE},
        {"http://", URL_NONE},
        {"http:///x", URL_NONE},
        {"http://user:secret@a.example/", URL_NONE},
        {"http://a b/", URL_NONE},
        {"http://a/\r\nX: y", URL_NONE},
        {"http://a/\x80", URL_NONE},
        {"http", URL_NONE},
        {"", URL_NONE},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = NULL;

        T_ROW_EQ(rows[i].url, url_scheme(rows[i].url, &why), rows[i].want);
        T_OK((why != NULL) == (rows[i].want == URL_NONE));
    }
}

static void the_bound_of_length_is_exact(void)
{
    char text[URL_MAX_B + 2] = "http://a.example/";
    const char *why;

    memset(text + strlen(text), 'a', URL_MAX_B - strlen(text));
    T_EQ(url_scheme(text, &why), URL_HTTP);
    strcat(text, "a");
    T_EQ(url_scheme(text, &why), URL_NONE);
    T_STR(why, "it is too long");
}

#define TESTS(X) X(urls_are_judged) X(the_bound_of_length_is_exact)
T_MAIN("url", TESTS)
