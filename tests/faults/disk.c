/*
 * disk.c - see disk.h. Files are arrays of pages that disks share until one of them writes, a page
 * of zeros is NULL: an image of a database costs what differs from the one before.
 *
 * A file has a number for ever, a name is an entry that points to it. The history and every disk
 * made from it use the same numbers, so a write is known to belong to a file whose name was lost.
 */
#include "config.h"

#include "base/map.h"
#include "disk_internal.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Handle {
    IoFile base;
    Disk *disk;
    int file;
    char *path;
} Handle;

const char *const disk_call_names[DISK_CALLS] = {"open",        "read",        "write",  "truncate",
                                                 "sync",        "map",         "rename", "unlink",
                                                 "make folder", "sync folder", "list",   "length"};

/* ---- pages ---- */

static void page_let_go(Page *page)
{
    if (page != NULL && --page->users == 0) mem_free(page);
}

static Page *page_new(void)
{
    Page *page = mem_calloc(1, sizeof *page + 64);
    page->users = 1;
    return page;
}

/* The page for writing: this file's own. */
static uint8_t *page_own(File *file, size_t number)
{
    Page **at = &file->pages[number];
    if (*at == NULL) {
        *at = page_new();
    } else if ((*at)->users > 1) {
        Page *copy = page_new();
        memcpy(copy->data, (*at)->data, PAGE_BYTES);
        page_let_go(*at);
        *at = copy;
    }
    (*at)->hash = 0;
    return (*at)->data;
}

void file_resize(File *file, uint64_t bytes)
{
    size_t pages = (size_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    for (size_t i = pages; i < file->page_count; i++)
        page_let_go(file->pages[i]);
    mem_reserve(file->pages, file->capacity, pages);
    for (size_t i = file->page_count; i < pages; i++)
        file->pages[i] = NULL;
    file->page_count = pages;
    if (bytes < file->bytes && bytes % PAGE_BYTES != 0 && file->pages[pages - 1] != NULL)
        memset(page_own(file, pages - 1) + bytes % PAGE_BYTES, 0, PAGE_BYTES - bytes % PAGE_BYTES);
    file->bytes = bytes;
}

static bool all_zero(const uint8_t *data, size_t bytes)
{
    return data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
}

void file_write(File *file, uint64_t offset, const uint8_t *data, size_t bytes)
{
    if (bytes == 0) return;
    if (offset + bytes > file->bytes) file_resize(file, offset + bytes);
    while (bytes > 0) {
        size_t page = (size_t)(offset / PAGE_BYTES), in = (size_t)(offset % PAGE_BYTES),
               some = PAGE_BYTES - in < bytes ? PAGE_BYTES - in : bytes;
        if (file->pages[page] != NULL || !all_zero(data, some))
            memcpy(page_own(file, page) + in, data, some);
        offset += some, data += some, bytes -= some;
    }
}

static size_t file_read(const File *file, uint64_t offset, uint8_t *into, size_t bytes)
{
    if (offset >= file->bytes) return 0;
    if (bytes > file->bytes - offset) bytes = (size_t)(file->bytes - offset);
    for (size_t done = 0; done < bytes;) {
        size_t page = (size_t)((offset + done) / PAGE_BYTES),
               in = (size_t)((offset + done) % PAGE_BYTES),
               some = PAGE_BYTES - in < bytes - done ? PAGE_BYTES - in : bytes - done;
        if (file->pages[page] == NULL)
            memset(into + done, 0, some);
        else
            memcpy(into + done, file->pages[page]->data + in, some);
        done += some;
    }
    return bytes;
}

/* A page of zeros, there or not, is 0. One that is mapped and shared changes unseen: its hash is not
 * kept. */
static uint64_t page_hash(Page *page, bool pinned)
{
    if (page == NULL) return 0;
    if (page->hash != 0 && !pinned) return page->hash;
    uint64_t hash = all_zero(page->data, PAGE_BYTES) ? 0 : hash_bytes(page->data, PAGE_BYTES, 1);
    page->hash = pinned ? 0 : hash;
    return hash;
}

static uint64_t file_hash(const File *file)
{
    uint64_t hash = hash_u64(file->bytes + 1);
    for (size_t i = 0; i < file->page_count; i++)
        hash = hash_u64(hash ^ page_hash(file->pages[i], file->pinned && i == 0));
    return hash;
}

static void file_clear(File *file)
{
    file_resize(file, 0);
    mem_free(file->pages);
    *file = (File){0};
}

static void file_copy(const File *from, File *to)
{
    *to = (File){0};
    file_resize(to, from->bytes);
    for (size_t i = 0; i < from->page_count; i++) {
        to->pages[i] = from->pages[i];
        if (to->pages[i] != NULL) to->pages[i]->users++;
    }
    if (from->pinned) page_own(to, 0); /* stores into it must not be seen here */
}

/* ---- names ---- */

static Entry *find(const Disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->entry_count; i++)
        if (strcmp(disk->entries[i].path, path) == 0) return &disk->entries[i];
    return NULL;
}

void path_parent(const char *path, char out[IO_PATH_BYTES_MAX])
{
    size_t bytes = (size_t)(strrchr(path, '/') - path);
    memmove(out, path, bytes);
    strcpy(out + bytes, bytes == 0 ? "/" : "");
}

static void entry_remove(Disk *disk, const char *path)
{
    Entry *entry = find(disk, path);
    if (entry == NULL) return;
    mem_free(entry->path);
    *entry = disk->entries[--disk->entry_count];
}

static void entry_set(Disk *disk, const char *path, int file)
{
    entry_remove(disk, path);
    mem_reserve(disk->entries, disk->entry_capacity, disk->entry_count + 1);
    disk->entries[disk->entry_count++] = (Entry){mem_strdup(path), file};
}

File *disk_file(Disk *disk, int number)
{
    mem_reserve(disk->files, disk->file_capacity, (size_t)number + 1);
    while (disk->file_count <= (size_t)number)
        disk->files[disk->file_count++] = (File){0};
    return &disk->files[number];
}

/* A name whose folder is not there is not there. */
void disk_prune(Disk *disk)
{
    for (size_t i = 0; i < disk->entry_count;) {
        char parent[IO_PATH_BYTES_MAX];
        if (strcmp(disk->entries[i].path, "/") == 0) {
            i++;
            continue;
        }
        path_parent(disk->entries[i].path, parent);
        const Entry *folder = find(disk, parent);
        if (folder != NULL && folder->file == FOLDER) {
            i++;
        } else {
            entry_remove(disk, disk->entries[i].path);
            i = 0;
        }
    }
}

/* ---- operations ---- */

void disk_apply(Disk *disk, const Op *op)
{
    switch (op->kind) {
    case OP_WRITE:
    case OP_STORE:
        file_write(disk_file(disk, op->file), op->offset, op->data, (size_t)op->bytes);
        break;
    case OP_TRUNCATE: file_resize(disk_file(disk, op->file), op->bytes); break;
    case OP_CREATE: entry_set(disk, op->path, op->file); break;
    case OP_MAKE_FOLDER: entry_set(disk, op->path, FOLDER); break;
    case OP_RENAME: {
        const Entry *from = find(disk, op->path);
        if (from != NULL && from->file == op->file) entry_remove(disk, op->path);
        entry_set(disk, op->to, op->file);
        break;
    }
    case OP_UNLINK: entry_remove(disk, op->path); break;
    case OP_SYNC:
    case OP_FAILED_SYNC:
    case OP_SYNC_FOLDER:
    case OP_MARK: break;
    }
}

static void op_free(Op *op)
{
    mem_free(op->path);
    mem_free(op->to);
    mem_free(op->data);
}

static void push(Disk *disk, Op op)
{
    mem_reserve(disk->ops, disk->op_capacity, disk->op_count + 1);
    disk->ops[disk->op_count++] = op;
}

static uint8_t *bytes_copy(const void *data, size_t bytes)
{
    return memcpy(mem_alloc(bytes), data, bytes);
}

/* What was stored into the shared page since the last look. */
static void note_stores(Disk *disk)
{
    for (size_t i = 0; i < disk->file_count; i++) {
        const File *file = &disk->files[i];
        if (!file->pinned || ((int)i == disk->stored_file &&
                              memcmp(file->pages[0]->data, disk->stored, sizeof disk->stored) == 0))
            continue;
        memcpy(disk->stored, file->pages[0]->data, sizeof disk->stored);
        disk->stored_file = (int)i;
        push(disk, (Op){.kind = OP_STORE,
                        .file = (int)i,
                        .bytes = sizeof disk->stored,
                        .data = bytes_copy(disk->stored, sizeof disk->stored)});
    }
}

/* Does it, and notes it. Takes what the operation owns. */
static void perform(Disk *disk, Op op)
{
    if (disk->recording) note_stores(disk);
    disk_apply(disk, &op);
    if (disk->recording)
        push(disk, op);
    else
        op_free(&op);
}

/* ---- faults ---- */

static Error *refused(int reason, const char *path, const char *what)
{
    ErrorCode code = reason == ENOSPC ? ERROR_FULL : reason == ENOENT ? ERROR_NO_FILE : ERROR_IO;
    return error_hint(error_errno(code, reason, "%s cannot be %s", path, what),
                      "this is a disk of the tests");
}

/* NULL: the call may be done. */
static Error *meet(Disk *disk, DiskCall call, const char *path)
{
    uint64_t number = ++disk->calls[call];
    const DiskFault *fault = &disk->fault;
    bool fails = fault->number > 0 && fault->call == call &&
                 (number == fault->number || (fault->for_ever && number > fault->number));
    if (!fails) return NULL;
    disk->failed = true;
    return refused(fault->reason, path, disk_call_names[call]);
}

void disk_fail(Disk *disk, DiskFault fault)
{
    disk->fault = fault;
    disk->failed = false;
    memset(disk->calls, 0, sizeof disk->calls);
}

bool disk_failed(const Disk *disk)
{
    return disk->failed;
}

uint64_t disk_calls(const Disk *disk, DiskCall call)
{
    return disk->calls[call];
}

void disk_lie(Disk *disk, DiskLie lie)
{
    disk->lie = lie;
}

static bool lies(const Disk *disk, const char *path, bool folder)
{
    switch (disk->lie) {
    case DISK_HONEST: return false;
    case DISK_NO_FOLDER_SYNC: return folder;
    case DISK_NO_SYNC_IN_TMP: return !folder && strstr(path, "/tmp/") != NULL;
    case DISK_NO_SYNC_OF_LOG: return !folder && strstr(path, "/wal/") != NULL;
    }
    return false;
}

/* ---- the plug ---- */

static Handle *handle_of(IoFile *file)
{
    return (Handle *)(void *)file;
}

static Disk *disk_of(const Io *io)
{
    return io->state;
}

static Error *open_locked(Disk *disk, const char *path, IoMode mode, IoFile **out)
{
    Error *error = meet(disk, DISK_OPEN, path);
    if (error != NULL) return error;
    char parent[IO_PATH_BYTES_MAX];
    path_parent(path, parent);
    const Entry *entry = find(disk, path), *folder = find(disk, parent);
    if (folder == NULL || folder->file != FOLDER) return refused(ENOENT, path, "opened");
    if (entry == NULL && (mode == IO_READ || mode == IO_WRITE))
        return refused(ENOENT, path, "opened");
    if (entry != NULL && mode == IO_CREATE) return refused(EEXIST, path, "opened");
    if (entry != NULL && entry->file == FOLDER) return refused(EISDIR, path, "opened");
    int file = entry != NULL ? entry->file : (int)disk->file_count;
    disk_file(disk, file);
    if (entry == NULL)
        perform(disk, (Op){.kind = OP_CREATE, .file = file, .path = mem_strdup(path)});
    Handle *handle = mem_calloc(1, sizeof *handle);
    *handle = (Handle){{&disk->io}, disk, file, mem_strdup(path)};
    *out = &handle->base;
    return NULL;
}

static Error *disk_open(const Io *io, const char *path, IoMode mode, IoFile **out)
{
    Disk *disk = disk_of(io);
    pthread_mutex_lock(&disk->lock);
    Error *error = open_locked(disk, path, mode, out);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

/* A file for a statement's rows has one handle and no name: what was in it is of no use any more. */
static void forget_temporary(Disk *disk, const Handle *handle)
{
    File *file = &disk->files[handle->file];
    if (disk->recording || strstr(handle->path, "/tmp/spill-") == NULL ||
        find(disk, handle->path) != NULL)
        return;
    for (size_t i = 0; i < file->page_count; i++)
        page_let_go(file->pages[i]);
    mem_free(file->pages);
    *file = (File){0};
}

static void disk_close(IoFile *base)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < disk->lock_count;)
        if (disk->locks[i].handle == base)
            disk->locks[i] = disk->locks[--disk->lock_count];
        else
            i++;
    forget_temporary(disk, handle);
    pthread_mutex_unlock(&disk->lock);
    mem_free(handle->path);
    mem_free(handle);
}

static Error *disk_bytes(IoFile *base, uint64_t *out)
{
    Handle *handle = handle_of(base);
    pthread_mutex_lock(&handle->disk->lock);
    Error *error = meet(handle->disk, DISK_BYTES, handle->path);
    *out = handle->disk->files[handle->file].bytes;
    pthread_mutex_unlock(&handle->disk->lock);
    return error;
}

static Error *disk_read(IoFile *base, uint64_t offset, void *into, size_t bytes, size_t *got)
{
    Handle *handle = handle_of(base);
    pthread_mutex_lock(&handle->disk->lock);
    Error *error = meet(handle->disk, DISK_READ, handle->path);
    *got = error != NULL ? 0 : file_read(&handle->disk->files[handle->file], offset, into, bytes);
    pthread_mutex_unlock(&handle->disk->lock);
    return error;
}

static Error *disk_write(IoFile *base, uint64_t offset, const void *data, size_t bytes)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_WRITE, handle->path);
    size_t some = error == NULL         ? bytes
                  : disk->fault.in_part ? bytes / 2 / SECTOR_BYTES * SECTOR_BYTES
                                        : 0;
    if (some > 0)
        perform(disk, (Op){.kind = OP_WRITE,
                           .file = handle->file,
                           .offset = offset,
                           .bytes = some,
                           .data = bytes_copy(data, some)});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_truncate(IoFile *base, uint64_t bytes)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_TRUNCATE, handle->path);
    if (error == NULL)
        perform(disk, (Op){.kind = OP_TRUNCATE, .file = handle->file, .bytes = bytes});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_sync(IoFile *base)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_SYNC, handle->path);
    if (error != NULL)
        perform(disk, (Op){.kind = OP_FAILED_SYNC, .file = handle->file});
    else if (!lies(disk, handle->path, false))
        perform(disk, (Op){.kind = OP_SYNC, .file = handle->file});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_map(IoFile *base, size_t bytes, bool shared, void **out)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_MAP, handle->path);
    File *file = &disk->files[handle->file];
    if (error == NULL && shared) {
        if (bytes > PAGE_BYTES || file->bytes < bytes) abort(); /* nothing else is mapped so */
        *out = page_own(file, 0);
        file->pinned = true;
    } else if (error == NULL) {
        *out = mem_alloc_aligned(bytes, PAGE_BYTES);
        size_t got = file_read(file, 0, *out, bytes);
        memset((char *)*out + got, 0, bytes - got);
    }
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static void disk_unmap(const Io *io, void *memory, size_t bytes)
{
    Disk *disk = disk_of(io);
    bool shared = false;
    (void)bytes;
    pthread_mutex_lock(&disk->lock);
    if (disk->recording) note_stores(disk);
    for (size_t i = 0; i < disk->file_count; i++)
        shared |= disk->files[i].pinned && disk->files[i].pages[0]->data == memory;
    pthread_mutex_unlock(&disk->lock);
    if (!shared) mem_free(memory);
}

/* By another handle, so that one who wants it (shared or not) must wait. */
static bool is_locked(const Disk *disk, const IoFile *file, uint64_t byte, bool shared)
{
    for (size_t i = 0; i < disk->lock_count; i++)
        if (disk->locks[i].file == ((const Handle *)(const void *)file)->file &&
            disk->locks[i].byte == byte && disk->locks[i].handle != file &&
            !(shared && disk->locks[i].shared))
            return true;
    return false;
}

static bool lock_it(IoFile *base, uint64_t byte, bool shared)
{
    Handle *handle = handle_of(base);
    Disk *disk = handle->disk;
    pthread_mutex_lock(&disk->lock);
    bool free = !is_locked(disk, base, byte, shared);
    if (free) {
        mem_reserve(disk->locks, disk->lock_capacity, disk->lock_count + 1);
        disk->locks[disk->lock_count++] = (Lock){base, handle->file, byte, shared};
    }
    pthread_mutex_unlock(&disk->lock);
    return free;
}

static bool disk_lock(IoFile *base, uint64_t byte)
{
    return lock_it(base, byte, false);
}

static bool disk_lock_shared(IoFile *base, uint64_t byte)
{
    return lock_it(base, byte, true);
}

static bool disk_is_locked(IoFile *base, uint64_t byte)
{
    Handle *handle = handle_of(base);
    pthread_mutex_lock(&handle->disk->lock);
    bool locked = is_locked(handle->disk, base, byte, false);
    pthread_mutex_unlock(&handle->disk->lock);
    return locked;
}

static Error *rename_locked(Disk *disk, const char *from, const char *to)
{
    Error *error = meet(disk, DISK_RENAME, from);
    if (error != NULL) return error;
    const Entry *entry = find(disk, from);
    if (entry == NULL) return refused(ENOENT, from, "renamed");
    if (entry->file == FOLDER) abort(); /* nobody renames folders */
    perform(disk, (Op){.kind = OP_RENAME,
                       .file = entry->file,
                       .path = mem_strdup(from),
                       .to = mem_strdup(to)});
    return NULL;
}

static Error *disk_rename(const Io *io, const char *from, const char *to)
{
    Disk *disk = disk_of(io);
    pthread_mutex_lock(&disk->lock);
    Error *error = rename_locked(disk, from, to);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_unlink(const Io *io, const char *path)
{
    Disk *disk = disk_of(io);
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_UNLINK, path);
    if (error == NULL && find(disk, path) != NULL)
        perform(disk, (Op){.kind = OP_UNLINK, .path = mem_strdup(path)});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_make_folder(const Io *io, const char *path)
{
    Disk *disk = disk_of(io);
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_MAKE_FOLDER, path);
    if (error == NULL && find(disk, path) == NULL)
        perform(disk, (Op){.kind = OP_MAKE_FOLDER, .path = mem_strdup(path)});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static Error *disk_sync_folder(const Io *io, const char *given)
{
    Disk *disk = disk_of(io);
    char path[IO_PATH_BYTES_MAX];
    size_t bytes = strlen(given);
    strcpy(path, given);
    if (bytes > 3 && strcmp(path + bytes - 3, "/..") == 0) {
        path[bytes - 3] = '\0';
        path_parent(path, path);
    }
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_SYNC_FOLDER, path);
    if (error == NULL && find(disk, path) == NULL) error = refused(ENOENT, path, "synced");
    if (error == NULL && !lies(disk, path, true))
        perform(disk, (Op){.kind = OP_SYNC_FOLDER, .path = mem_strdup(path)});
    pthread_mutex_unlock(&disk->lock);
    return error;
}

/* The names first: who is told of one may change the folder. */
static Error *disk_list(const Io *io, const char *path, void (*each)(void *user, const char *name),
                        void *user)
{
    Disk *disk = disk_of(io);
    char **names = NULL, parent[IO_PATH_BYTES_MAX];
    size_t count = 0, capacity = 0;
    pthread_mutex_lock(&disk->lock);
    Error *error = meet(disk, DISK_LIST, path);
    if (error == NULL && find(disk, path) == NULL) error = refused(ENOENT, path, "listed");
    for (size_t i = 0; error == NULL && i < disk->entry_count; i++) {
        const char *name = disk->entries[i].path;
        if (strcmp(name, "/") == 0) continue;
        path_parent(name, parent);
        if (strcmp(parent, path) != 0) continue;
        mem_reserve(names, capacity, count + 1);
        names[count++] = mem_strdup(strrchr(name, '/') + 1);
    }
    pthread_mutex_unlock(&disk->lock);
    for (size_t i = 0; i < count; i++) {
        each(user, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return error;
}

static IoKind disk_kind(const Io *io, const char *path)
{
    Disk *disk = disk_of(io);
    pthread_mutex_lock(&disk->lock);
    const Entry *entry = find(disk, path);
    IoKind kind = entry == NULL ? IO_NOTHING : entry->file == FOLDER ? IO_DIRECTORY : IO_FILE;
    pthread_mutex_unlock(&disk->lock);
    return kind;
}

/* ---- life ---- */

static Disk *disk_new(void)
{
    Disk *disk = mem_calloc(1, sizeof *disk);
    pthread_mutex_init(&disk->lock, NULL);
    disk->stored_file = -1;
    disk->io = (Io){.state = disk,
                    .open = disk_open,
                    .close = disk_close,
                    .bytes = disk_bytes,
                    .read = disk_read,
                    .write = disk_write,
                    .truncate = disk_truncate,
                    .sync = disk_sync,
                    .map = disk_map,
                    .unmap = disk_unmap,
                    .lock = disk_lock,
                    .lock_shared = disk_lock_shared,
                    .is_locked = disk_is_locked,
                    .rename = disk_rename,
                    .unlink = disk_unlink,
                    .make_directory = disk_make_folder,
                    .sync_directory = disk_sync_folder,
                    .list = disk_list,
                    .kind = disk_kind};
    return disk;
}

Disk *disk_create(void)
{
    Disk *disk = disk_new();
    entry_set(disk, "/", FOLDER);
    return disk;
}

Disk *disk_copy(const Disk *from)
{
    Disk *disk = disk_new();
    for (size_t i = 0; i < from->entry_count; i++)
        entry_set(disk, from->entries[i].path, from->entries[i].file);
    if (from->file_count > 0) disk_file(disk, (int)from->file_count - 1);
    for (size_t i = 0; i < from->file_count; i++)
        file_copy(&from->files[i], &disk->files[i]);
    return disk;
}

uint64_t disk_hash(const Disk *disk)
{
    uint64_t sum = 0; /* of names: their order says nothing */
    for (size_t i = 0; i < disk->entry_count; i++) {
        const Entry *entry = &disk->entries[i];
        bool empty = entry->file == FOLDER || (size_t)entry->file >= disk->file_count;
        uint64_t file = empty ? entry->file == FOLDER : file_hash(&disk->files[entry->file]);
        sum += hash_u64(hash_bytes(entry->path, strlen(entry->path), 2) ^ file);
    }
    return sum;
}

static void forget(Disk *disk)
{
    for (size_t i = 0; i < disk->op_count; i++)
        op_free(&disk->ops[i]);
    disk->op_count = 0;
}

void disk_record(Disk *disk)
{
    forget(disk);
    disk_destroy(disk->before);
    disk->before = disk_copy(disk);
    disk->recording = true;
}

void disk_destroy(Disk *disk)
{
    if (disk == NULL) return;
    disk_destroy(disk->before);
    forget(disk);
    for (size_t i = 0; i < disk->entry_count; i++)
        mem_free(disk->entries[i].path);
    for (size_t i = 0; i < disk->file_count; i++)
        file_clear(&disk->files[i]);
    pthread_mutex_destroy(&disk->lock);
    mem_free(disk->ops);
    mem_free(disk->entries);
    mem_free(disk->files);
    mem_free(disk->locks);
    mem_free(disk);
}

const Io *disk_io(Disk *disk)
{
    return &disk->io;
}

/* ---- files from outside ---- */

size_t disk_file_count(const Disk *disk)
{
    return disk->entry_count;
}

const char *disk_file_path(const Disk *disk, size_t i)
{
    return disk->entries[i].path;
}

uint64_t disk_file_bytes(const Disk *disk, size_t i)
{
    return disk->entries[i].file == FOLDER ? 0 : disk->files[disk->entries[i].file].bytes;
}

void disk_file_read(const Disk *disk, size_t i, uint64_t offset, void *into, size_t bytes)
{
    if (disk->entries[i].file == FOLDER) return; /* it has no bytes */
    file_read(&disk->files[disk->entries[i].file], offset, into, bytes);
}

void disk_file_flip(Disk *disk, size_t i, uint64_t bit)
{
    File *file = &disk->files[disk->entries[i].file];
    uint64_t byte = bit / 8;
    assert(byte < file->bytes);
    page_own(file, (size_t)(byte / PAGE_BYTES))[byte % PAGE_BYTES] ^= (uint8_t)(1u << bit % 8);
}

size_t disk_find(const Disk *disk, const char *path)
{
    const Entry *entry = find(disk, path);
    return entry == NULL ? SIZE_MAX : (size_t)(entry - disk->entries);
}

void disk_put_file(Disk *disk, const char *path, const void *data, size_t bytes)
{
    int file = (int)disk->file_count;
    file_write(disk_file(disk, file), 0, data, bytes);
    entry_set(disk, path, file);
}

void disk_remove(Disk *disk, const char *path)
{
    entry_remove(disk, path);
}

/* ---- history ---- */

void disk_mark(Disk *disk, uint64_t number)
{
    pthread_mutex_lock(&disk->lock);
    perform(disk, (Op){.kind = OP_MARK, .bytes = number});
    pthread_mutex_unlock(&disk->lock);
}
