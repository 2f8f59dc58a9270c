/*
 * secret.c - words that are followed by a secret, and forms that are one.
 *
 * `password: '..'`, `u.apiKey = ".."`, `:param auth_token ..`: a name is looked at without its
 * underscores and without case, and counts by how it ends, so that user_password is one and
 * password_changed is none. A bare `token` is none: texts consist of them. What is given must be a text
 * that is not empty; a parameter ($password) holds the secret somewhere else.
 */
#include "config.h"

#include "editor/secret.h"
#include <string.h>

static bool is_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool ends_with(Str name, const char *ending)
{
    size_t bytes = strlen(ending);
    if (name.bytes < bytes) return false;
    return str_equal_ignore_case((Str){name.data + name.bytes - bytes, bytes},
                                 (Str){ending, bytes});
}

static bool says_secret(Str name)
{
    static const char *const endings[] = {
        "password",   "passwd",      "passphrase",   "secret",      "apikey",      "accesskey",
        "privatekey", "secretkey",   "credential",   "credentials", "accesstoken", "authtoken",
        "apitoken",   "bearertoken", "refreshtoken", "sessiontoken"};
    char plain[64];
    size_t count = 0;
    for (size_t i = 0; i < name.bytes && count < sizeof plain; i++)
        if (name.data[i] != '_') plain[count++] = name.data[i];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with((Str){plain, count}, endings[i])) return true;
    return false;
}

static size_t skip(Str text, size_t at, const char *these)
{
    while (at < text.bytes && strchr(these, text.data[at]) != NULL)
        at++;
    return at;
}

/* Behind a name: is a text given to it? */
static bool is_given_text(Str text, size_t at)
{
    at = skip(text, at, " \t\n`'\"");
    if (at >= text.bytes || (text.data[at] != ':' && text.data[at] != '=')) return false;
    at = skip(text, at + 1, " \t\n~");
    if (at + 1 >= text.bytes || (text.data[at] != '\'' && text.data[at] != '"')) return false;
    return text.data[at + 1] != text.data[at];
}

/* ":param NAME VALUE", also with a dot. */
static bool is_param(Str text)
{
    size_t at = skip(text, 0, " \t\n");
    if (at + 6 > text.bytes || strchr(":.", text.data[at]) == NULL) return false;
    if (!str_equal_ignore_case((Str){text.data + at + 1, 5}, STR("param"))) return false;
    size_t name = skip(text, at + 6, " \t$"), end = name;
    while (end < text.bytes && is_name(text.data[end]))
        end++;
    return says_secret((Str){text.data + name, end - name}) &&
           skip(text, end, " \t\n") < text.bytes;
}

static size_t letters(Str text, size_t at)
{
    size_t from = at;
    while (at < text.bytes && (is_name(text.data[at]) || strchr("-.+/", text.data[at]) != NULL))
        at++;
    return at - from;
}

static bool starts(Str text, size_t at, const char *with)
{
    size_t bytes = strlen(with);
    return at + bytes <= text.bytes && memcmp(text.data + at, with, bytes) == 0;
}

/* Keys and tokens as they are given out by well-known makers. */
static bool is_known_form(Str text, size_t at)
{
    static const struct {
        const char *begin;
        size_t more; /* letters behind it */
    } forms[] = {{"sk-", 20},        {"ghp_", 30},    {"gho_", 30}, {"github_pat_", 20},
                 {"glpat-", 16},     {"AKIA", 16},    {"ASIA", 16}, {"xoxb-", 16},
                 {"xoxp-", 16},      {"AIza", 30},    {"hf_", 30},  {"Bearer ", 16},
                 {"-----BEGIN ", 3}, {"eyJhbGci", 30}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (starts(text, at, forms[i].begin) &&
            letters(text, at + strlen(forms[i].begin)) >= forms[i].more)
            return true;
    return false;
}

/* "://name:password@" */
static bool is_address(Str text, size_t at)
{
    if (!starts(text, at, "://")) return false;
    size_t colon = at + 3;
    while (colon < text.bytes && strchr(":/@'\" \n", text.data[colon]) == NULL)
        colon++;
    if (colon >= text.bytes || text.data[colon] != ':') return false;
    size_t end = colon + 1;
    while (end < text.bytes && strchr("/@'\" \n", text.data[end]) == NULL)
        end++;
    return end < text.bytes && text.data[end] == '@' && end > colon + 1;
}

bool secret_in(Str text)
{
    if (is_param(text)) return true;
    for (size_t at = 0; at < text.bytes;) {
        bool begins = at == 0 || !is_name(text.data[at - 1]);
        if ((begins && is_known_form(text, at)) || is_address(text, at)) return true;
        size_t end = at;
        while (end < text.bytes && is_name(text.data[end]))
            end++;
        if (end > at && says_secret((Str){text.data + at, end - at}) && is_given_text(text, end))
            return true;
        at = end > at ? end : at + 1;
    }
    return false;
}
