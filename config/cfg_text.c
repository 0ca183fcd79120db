/* The kinds of texts in a configuration: which characters, how long, and what they become. */
#include "base/url.h"
#include "config/cfg_src.h"
#include "config/cfg_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX_B 4096 /* of texts without a bound of their own */

static bool says(struct cfg_want *w, const char *text, const char *what)
{
    struct cfg_raw raw = {.kind = CFG_RAW_TEXT, .s = text};

    cfg_raw_text(&w->why, &raw);
    sb_str(&w->why, what);
    return false;
}

static bool length_ok(struct cfg_want *w, const struct cfg_key *k, const char *text)
{
    bool own = k->max && !(k->flags & CFG_LIST);
    size_t max = own ? strtoul(k->max, NULL, 10) : TEXT_MAX_B;
    size_t min = k->type == CFG_T_BODY ? 0 : 1, len = strlen(text);

    if (len >= min && len <= max)
        return true;
    if (len < min)
        return says(w, text, " is empty");
    says(w, text, "");
    sb_fmt(&w->why, " is longer than %zu bytes", max);
    return false;
}

/* --- characters --- */

static bool no_controls(const char *text)
{
    for (; *text; text++) {
        if (((uint8_t)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

static bool all_of(const char *text, const char *others)
{
    for (; *text; text++) {
        if (!ascii_alpha((uint8_t)*text) && !ascii_digit((uint8_t)*text) && !strchr(others, *text))
            return false;
    }
    return true;
}

static bool name_list(const char *text)
{
    size_t len = strlen(text);

    return all_of(text, ":_-+.") && text[0] != ':' && text[len - 1] != ':' && !strstr(text, "::");
}

/* --- host names --- */

/* LDH labels, and '_' which DNS carries although hosts should not have it. NULL: well-formed. */
static const char *labels_wrong(struct span s)
{
    if (s.len == 0 || s.len > 253)
        return " is not a host name: 1 to 253 characters";
    if (s.p[s.len - 1] == '.')
        return ": a host name without the '.' at its end";
    while (s.len) {
        struct span label = span_first(s, span_find(s, '.'));

        if (label.len == 0 || label.len > 63)
            return " is not a host name: parts have 1 to 63 characters";
        if (label.p[0] == '-' || label.p[label.len - 1] == '-')
            return " is not a host name: a part begins or ends in '-'";
        for (size_t i = 0; i < label.len; i++) {
            if (!ascii_alpha(label.p[i]) && !ascii_digit(label.p[i]) && label.p[i] != '-' &&
                label.p[i] != '_')
                return " is not a host name: letters, digits, '-' and '.' only";
        }
        s = span_from(s, label.len + 1);
    }
    return NULL;
}

static const char *host_wrong(struct span s, bool star)
{
    struct ip_addr ip;

    if (s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']')
        return IS_OK(ip_parse(span_of(s.p + 1, s.len - 2), &ip)) ? NULL : " is not an address";
    if (span_starts(s, SPAN_LIT("*.")) && star)
        s = span_from(s, 2);
    if (span_find(s, '*') != s.len)
        return star ? ": '*' stands for the whole first part: \"*.example\""
                    : ": no '*' here, this is one host";
    return labels_wrong(s);
}

static bool host_ok(struct cfg_want *w, const struct cfg_key *k, const char *text)
{
    const char *wrong = host_wrong(span_str(text), k->type == CFG_T_HOST);

    return !wrong || says(w, text, wrong);
}

static bool authority_ok(struct cfg_want *w, const char *text)
{
    struct span s = span_str(text);
    const char *colon = strrchr(text, ':');
    const char *wrong;

    if (colon && !strchr(colon, ']')) {
        size_t digits = strspn(colon + 1, "0123456789");
        unsigned long port = strtoul(colon + 1, NULL, 10);

        if (colon[1 + digits] || digits == 0 || digits > 5 || port == 0 || port > 65535)
            return says(w, text, ": what follows ':' is not a port");
        s = span_first(s, (size_t)(colon - text));
    }
    wrong = host_wrong(s, false);
    return !wrong || says(w, text, wrong);
}

/* --- URL paths --- */

static int hex(char c)
{
    return ascii_digit((uint8_t)c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The escape at p: what is wrong with it in a canonical path. */
static const char *escape_wrong(const char *p)
{
    int hi = hex(p[1]), lo = hi < 0 ? -1 : hex(p[2]);
    int c = hi * 16 + lo;

    if (lo < 0)
        return ": '%' is followed by two digits of 0-9 and A-F";
    if (c == 0 || c == '/' || c == '\\')
        return ": %00, %2F and %5C are refused in requests, so this never matches";
    if (c > ' ' && c < 0x7f && !strchr("\"#%;<>?", c))
        return ": an escape that stands for a plain character; write the character";
    return NULL;
}

static const char *path_wrong(const char *text)
{
    if (text[0] != '/')
        return " does not begin with '/'";
    for (const char *p = text; *p; p++) {
        const char *wrong = *p == '%' ? escape_wrong(p) : NULL;

        if (wrong)
            return wrong;
        if (*p <= ' ' || *p >= 0x7f || *p == '\\')
            return ": spaces, '\\' and bytes outside of ASCII are written as %XX";
        if (*p == '?' || *p == '#')
            return ": a path without query and fragment";
        if (*p == ';')
            return ": requests have parameters (\";a=b\") cut off, so this never matches";
        if (*p == '/' && p[1] == '/')
            return ": requests have \"//\" merged, so this never matches";
        if (*p == '/' && p[1] == '.' &&
            (p[2] == '/' || !p[2] || (p[2] == '.' && (p[3] == '/' || !p[3]))))
            return ": requests have \".\" and \"..\" resolved, so this never matches";
    }
    return NULL;
}

/* --- files --- */

static bool cannot(struct cfg_want *w, const char *text, const char *why)
{
    says(w, text, ": ");
    sb_str(&w->why, why);
    return false;
}

static bool input_ok(struct cfg_want *w, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    bool ok;

    if (fd < 0)
        return cannot(w, path, strerror(errno));
    ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    return ok || cannot(w, path, "not a regular file");
}

/* The file itself is opened later; its folder must be there. */
static bool output_ok(struct cfg_want *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[TEXT_MAX_B + 2];
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return cannot(w, path, strerror(EISDIR));
    if (!slash)
        return true;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
    if (stat(folder, &st) != 0)
        return cannot(w, path, "its folder does not exist");
    return true;
}

static bool folder_ok(struct cfg_want *w, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return cannot(w, path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cannot(w, path, strerror(ENOTDIR));
    return access(path, W_OK | X_OK) == 0 || cannot(w, path, strerror(errno));
}

static bool there_ok(struct cfg_want *w, enum cfg_type type, const char *path)
{
    if (type == CFG_T_FOLDER)
        return folder_ok(w, path);
    if (type == CFG_T_SOCKET)
        return true;
    return type == CFG_T_FILE ? input_ok(w, path) : output_ok(w, path);
}

static bool file_value(struct cfg_want *w, const struct cfg_key *k, const char *text,
                       const char **out)
{
    bool word = k->type == CFG_T_OUTFILE && (!strcmp(text, "stdout") || !strcmp(text, "stderr"));
    const char *path =
        word ? arena_text(w->arena, span_str(text)) : cfg_src_beside(w->arena, w->file, text);

    if (!path)
        return cannot(w, text, "out of memory");
    if (strlen(path) > TEXT_MAX_B)
        return cannot(w, text, "this path is too long");
    if (k->type == CFG_T_SOCKET && strlen(path) > 107)
        return cannot(w, path, "the path of a Unix socket has at most 107 bytes");
    if (!w->no_files && !word && !there_ok(w, k->type, path))
        return false;
    *out = path;
    return true;
}

static bool lower_copy(struct cfg_want *w, const char *text, const char **out)
{
    char *copy = arena_text(w->arena, span_str(text));

    for (char *p = copy; p && *p; p++)
        *p = (char)ascii_lower((uint8_t)*p);
    *out = copy;
    return copy || cannot(w, text, "out of memory");
}

static bool form_ok(struct cfg_want *w, const struct cfg_key *k, const char *text)
{
    const char *wrong;

    switch ((int)k->type) {
    case CFG_T_LIST_TEXT:
        return name_list(text) || says(w, text, ": names with one ':' between them");
    case CFG_T_NAME:
        return all_of(text, "._-") ||
               says(w, text, " is not a name: letters, digits, '.', '_' and '-' only");
    case CFG_T_TOKEN:
        return all_of(text, "!#$%&'*+-.^_`|~") ||
               says(w, text, ": letters, digits and !#$%&'*+-.^_`|~ only");
    case CFG_T_HOST:
    case CFG_T_SERVER:
        return host_ok(w, k, text);
    case CFG_T_AUTHORITY:
        return authority_ok(w, text);
    case CFG_T_URL:
        return url_scheme(text, &wrong) != URL_NONE || cannot(w, text, wrong);
    case CFG_T_PATH:
        wrong = path_wrong(text);
        return !wrong || says(w, text, wrong);
    case CFG_T_BODY:
        return true;
    default:
        return no_controls(text) || says(w, text, ": control characters");
    }
}

bool cfg_text_value(struct cfg_want *w, const struct cfg_key *k, const char *text, const char **out)
{
    if (!length_ok(w, k, text) || !form_ok(w, k, text))
        return false;
    if (k->type >= CFG_T_FILE && k->type <= CFG_T_SOCKET)
        return file_value(w, k, text, out);
    if (k->type == CFG_T_HOST || k->type == CFG_T_SERVER || k->type == CFG_T_AUTHORITY)
        return lower_copy(w, text, out);
    *out = arena_text(w->arena, span_str(text));
    return *out || cannot(w, text, "out of memory");
}
