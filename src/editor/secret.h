/* secret.h - does a statement hold what nobody else should read? */
#ifndef EDITOR_SECRET_H
#define EDITOR_SECRET_H
#include "base/str.h"

/* A text given to a name that says so (password, api_key, ..), what looks like a key or token of a known
 * kind, or a password within an address. Better a statement too many than a secret in a file. */
bool secret_in(Str text);
#endif
