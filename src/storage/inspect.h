/*
 * inspect.h - what is in one file of a database, told line by line: a file of the log, a segment,
 * LOCK. Any bytes may stand in it: what does not check out is a finding, and the look goes on
 * behind it where it can. The file stands alone: whether it is the one that others mean is
 * the business of `check`.
 */
#ifndef STORAGE_INSPECT_H
#define STORAGE_INSPECT_H
#include "base/tell.h"
#include "storage/io.h"

/* `section_name`: what a kind of section is called, NULL for one that is not known. ERROR_NO_FILE,
 * ERROR_IO: it cannot be read; ERROR_BAD_FILE: it is no file of a database. */
Error *inspect_file(const Io *io, const char *path, const char *(*section_name)(unsigned kind),
                    Tell *to) MUST_CHECK;
#endif
