/*
 * catalog_vfs.h - sqlite's files over Io: what catalog.c opens its database with.
 *
 * One for each opening, on the caller's stack: sqlite knows it by a name of its own between
 * catalog_vfs_begin and catalog_vfs_end. There is no shared memory: the database must be in
 * exclusive locking mode, so that sqlite keeps the index of its log in its own memory.
 */
#ifndef STORAGE_CATALOG_VFS_H
#define STORAGE_CATALOG_VFS_H
#include "storage/io.h"
#include <sqlite3.h>

typedef struct CatalogVfs {
    sqlite3_vfs vfs;
    const Io *io;
    bool read_only; /* nothing is written, made or locked; a log that is not there reads as empty */
    Error *error;   /* the first that Io gave since the beginning: sqlite only keeps a number */
    char name[32];
} CatalogVfs;

/* `files` stays where it is until the end. False: sqlite has no memory. */
bool catalog_vfs_begin(CatalogVfs *files, const Io *io, bool read_only);
void catalog_vfs_end(CatalogVfs *files); /* the database is closed; drops the error */
#endif
