#include "base/url.h"

#include "base/res.h"

static bool chars_ok(const char *url)
{
    for (const char *p = url; *p; p++) {
        if (*p <= ' ' || *p >= 0x7f || strchr("\"<>\\^`{|}", *p))
            return false;
    }
    return true;
}

static enum url_scheme no(const char **why, const char *what)
{
    *why = what;
    return URL_NONE;
}

static enum url_scheme with_host(enum url_scheme s, const char *rest, const char **why)
{
    struct span host = span_of(rest, strcspn(rest, "/?#"));

    if (s == URL_FILE)
        return host.len == 0 && rest[0] == '/' && rest[1]
                   ? s
                   : no(why, "a file is written file:///path/of/it");
    if (span_find(host, '@') != host.len)
        return no(why, "it carries a user's name, which would stand in logs");
    return host.len ? s : no(why, "it names no host");
}

enum url_scheme url_scheme(const char *url, const char **why)
{
    static const char *const begin[] = {
        [URL_HTTP] = "http://", [URL_HTTPS] = "https://", [URL_FILE] = "file://"};

    if (strlen(url) > URL_MAX_B)
        return no(why, "it is too long");
    if (!chars_ok(url))
        return no(why, "it has characters that stand in no URL");
    for (int i = URL_HTTP; i <= URL_FILE; i++) {
        size_t n = strlen(begin[i]);

        if (span_ieq(span_first(span_str(url), n), span_str(begin[i])))
            return with_host((enum url_scheme)i, url + n, why);
    }
    return no(why, "it begins neither with http:// nor with https://");
}
