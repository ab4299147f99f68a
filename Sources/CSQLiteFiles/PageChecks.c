#include "CSQLiteFiles.h"
#include "Files.h"

#include <CLinux.h>
#include <string.h>

static checked_file *checked_of(sqlite3_file *file) { return (checked_file *)file; }

// MARK: The checksum

static const int summed_bytes = PAGE_CHECKS_PAGE_BYTES - PAGE_CHECKS_RESERVED_BYTES;

// The number keeps a page that was written to another one's place from passing for it.
static void page_sum(const uint8_t *page, sqlite3_int64 offset, uint8_t sum[PAGE_CHECKS_RESERVED_BYTES]) {
    uint64_t number = (uint64_t)offset / PAGE_CHECKS_PAGE_BYTES + 1;
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> 8 * i);
    uint32_t value = cl_crc32c(cl_crc32c(0, bytes, sizeof bytes), page, summed_bytes);
    for (int i = 0; i < PAGE_CHECKS_RESERVED_BYTES; i++) sum[i] = (uint8_t)(value >> 8 * i);
}

static int is_page(int count, sqlite3_int64 offset) {
    return count == PAGE_CHECKS_PAGE_BYTES && offset % PAGE_CHECKS_PAGE_BYTES == 0;
}

// SQLite need not write a page that it took and gave back: the file has a hole there, which says nothing, and passes.
static int is_hole(const uint8_t *page) {
    return page[0] == 0 && memcmp(page, page + 1, PAGE_CHECKS_PAGE_BYTES - 1) == 0;
}

void page_checks_stamp(void *image, size_t length) {
    for (size_t at = 0; at + PAGE_CHECKS_PAGE_BYTES <= length; at += PAGE_CHECKS_PAGE_BYTES) {
        uint8_t *page = (uint8_t *)image + at;
        page_sum(page, (sqlite3_int64)at, page + summed_bytes);
    }
}

// MARK: Calls on a database file

// Of the locks in a log's index (WAL-mode file format, section 2.3 "WAL Locks"): who writes.
enum { WRITE_LOCK = 0 };

static int checked_close(sqlite3_file *file) { return real_of(file)->pMethods->xClose(real_of(file)); }

static int checked_read(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    int code = real_of(file)->pMethods->xRead(real_of(file), buffer, count, offset);
    if (code != SQLITE_OK || !is_page(count, offset)) return code;
    uint8_t sum[PAGE_CHECKS_RESERVED_BYTES];
    page_sum(buffer, offset, sum);
    if (memcmp(sum, (uint8_t *)buffer + summed_bytes, sizeof sum) == 0 || is_hole(buffer)) return SQLITE_OK;
    return SQLITE_IOERR_DATA;
}

static int checked_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    if (!is_page(count, offset)) return write_through(file, bytes, count, offset);
    // The bytes are SQLite's, which may look at them again.
    uint8_t page[PAGE_CHECKS_PAGE_BYTES];
    memcpy(page, bytes, summed_bytes);
    page_sum(page, offset, page + summed_bytes);
    return write_through(file, page, count, offset);
}

static int checked_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int checked_sync(sqlite3_file *file, int flags) { return sync_through(file, flags); }

static int checked_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int checked_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, memory);
}

static int checked_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    gathered_log *log = checked_of(file)->log;
    if (log && offset == WRITE_LOCK && flags == (SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)) gathered_log_drop(log);
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void checked_shm_barrier(sqlite3_file *file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }

static int checked_shm_unmap(sqlite3_file *file, int deletes) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), deletes);
}

// Version 2: without xFetch no page is mapped into memory past the check.
static const sqlite3_io_methods checked_methods = {
    2, checked_close, checked_read, checked_write, checked_truncate, checked_sync, checked_size, passed_lock,
    passed_unlock, passed_check_reserved, passed_control, passed_sector_size, passed_characteristics,
    checked_shm_map, checked_shm_lock, checked_shm_barrier, checked_shm_unmap, NULL, NULL,
};

int checked_file_open(own_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    checked_file *checked = checked_of(file);
    memset(checked, 0, sizeof *checked);
    checked->own.real = base_file(file);
    checked->own.piece = vfs->piece;
    int code = vfs->base->xOpen(vfs->base, path, checked->own.real, flags, out_flags);
    file->pMethods = checked->own.real->pMethods ? &checked_methods : NULL;
    return code;
}
