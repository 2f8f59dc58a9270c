/*
 * catalog.h - what a database directory says of itself: identity and format, in sqlite3. The one
 * room of sqlite3.h.
 */
#ifndef STORAGE_CATALOG_H
#define STORAGE_CATALOG_H
#include "base/error.h"
#include <stdbool.h>

enum { CATALOG_FORMAT = 1, CATALOG_UUID_BYTES = 16 };

/* Opens catalog.db in `directory`, or makes it there when `create`. A file that is no catalog is
 * ERROR_NOT_A_DATABASE, one of a newer format ERROR_VERSION. Gives the database's identity. */
Error *catalog_open(const char *directory, bool create,
                    uint8_t uuid[CATALOG_UUID_BYTES]) MUST_CHECK;
#endif
