/* segment_internal.h - what writer and reader of the container agree on. See segment.h. */
#ifndef STORAGE_SEGMENT_INTERNAL_H
#define STORAGE_SEGMENT_INTERNAL_H

#define SEGMENT_MAGIC         0x53585443u /* "CTXS" */
#define SEGMENT_TRAILER_MAGIC 0x54585443u /* "CTXT" */
enum {
    SEGMENT_VERSION = 2,
    SEGMENT_VERSION_OLDEST = 2, /* 1 had descriptions and adjacency that took more room */
    SEGMENT_HEADER_BYTES = 4096,
    SEGMENT_HEADER_USED_BYTES = 44,
    SEGMENT_TRAILER_BYTES = 4096,
    SEGMENT_TRAILER_USED_BYTES = 84,
    SEGMENT_TABLE_ROW_BYTES = 64,
    SEGMENT_FILES_KIND = 0xffff, /* of the section that names other files */
    SEGMENT_FILE_ROW_BYTES = 24
};
#endif
