#include "CPageChecks.h"

#include <CLinux.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A database file, followed by the base's own.
typedef struct checked_file {
    sqlite3_file file;
    sqlite3_file *real;
} checked_file;

static const int checked_file_bytes = (int)((sizeof(checked_file) + 15) & ~15UL);

static sqlite3_vfs *base_of(sqlite3_vfs *vfs) { return vfs->pAppData; }
static sqlite3_file *real_of(sqlite3_file *file) { return ((checked_file *)file)->real; }

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
    sqlite3_file *real = real_of(file);
    if (!is_page(count, offset)) return real->pMethods->xWrite(real, bytes, count, offset);
    // The bytes are SQLite's, which may look at them again.
    uint8_t page[PAGE_CHECKS_PAGE_BYTES];
    memcpy(page, bytes, summed_bytes);
    page_sum(page, offset, page + summed_bytes);
    return real->pMethods->xWrite(real, page, count, offset);
}

static int checked_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int checked_sync(sqlite3_file *file, int flags) { return real_of(file)->pMethods->xSync(real_of(file), flags); }

static int checked_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int checked_lock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xLock(real_of(file), level); }

static int checked_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int checked_check_reserved(sqlite3_file *file, int *result) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

static int checked_control(sqlite3_file *file, int operation, void *argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int checked_sector_size(sqlite3_file *file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); }

static int checked_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int checked_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, memory);
}

static int checked_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void checked_shm_barrier(sqlite3_file *file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }

static int checked_shm_unmap(sqlite3_file *file, int deletes) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), deletes);
}

// Version 2: without xFetch no page is mapped into memory past the check.
static const sqlite3_io_methods checked_methods = {
    2, checked_close, checked_read, checked_write, checked_truncate, checked_sync, checked_size, checked_lock,
    checked_unlock, checked_check_reserved, checked_control, checked_sector_size, checked_characteristics,
    checked_shm_map, checked_shm_lock, checked_shm_barrier, checked_shm_unmap, NULL, NULL,
};

// MARK: Calls on the VFS

static int checked_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    sqlite3_vfs *base = base_of(vfs);
    // Logs and journals are the base's alone.
    if (!(flags & SQLITE_OPEN_MAIN_DB)) return base->xOpen(base, path, file, flags, out_flags);
    checked_file *checked = (checked_file *)file;
    checked->real = (sqlite3_file *)((char *)file + checked_file_bytes);
    int code = base->xOpen(base, path, checked->real, flags, out_flags);
    file->pMethods = checked->real->pMethods ? &checked_methods : NULL;
    return code;
}

static int checked_delete(sqlite3_vfs *vfs, const char *path, int syncs) {
    return base_of(vfs)->xDelete(base_of(vfs), path, syncs);
}

static int checked_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    return base_of(vfs)->xAccess(base_of(vfs), path, flags, result);
}

static int checked_full_path(sqlite3_vfs *vfs, const char *path, int capacity, char *result) {
    return base_of(vfs)->xFullPathname(base_of(vfs), path, capacity, result);
}

static int checked_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    return base_of(vfs)->xRandomness(base_of(vfs), count, bytes);
}

static int checked_sleep(sqlite3_vfs *vfs, int microseconds) {
    return base_of(vfs)->xSleep(base_of(vfs), microseconds);
}

static int checked_time(sqlite3_vfs *vfs, double *time) { return base_of(vfs)->xCurrentTime(base_of(vfs), time); }

static int checked_last_error(sqlite3_vfs *vfs, int capacity, char *text) {
    return base_of(vfs)->xGetLastError(base_of(vfs), capacity, text);
}

static int checked_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *time) {
    return base_of(vfs)->xCurrentTimeInt64(base_of(vfs), time);
}

void *page_checks_register(const char *name, const char *base_name) {
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    sqlite3_vfs *vfs = base && base->iVersion >= 2 ? calloc(1, sizeof *vfs) : NULL;
    if (!vfs) return NULL;
    vfs->iVersion = 2;
    vfs->szOsFile = checked_file_bytes + base->szOsFile;
    vfs->mxPathname = base->mxPathname;
    vfs->zName = name;
    vfs->pAppData = base;
    vfs->xOpen = checked_open;
    vfs->xDelete = checked_delete;
    vfs->xAccess = checked_access;
    vfs->xFullPathname = checked_full_path;
    vfs->xRandomness = checked_randomness;
    vfs->xSleep = checked_sleep;
    vfs->xCurrentTime = checked_time;
    vfs->xGetLastError = checked_last_error;
    vfs->xCurrentTimeInt64 = checked_time_int64;
    if (sqlite3_vfs_register(vfs, 0) == SQLITE_OK) return vfs;
    free(vfs);
    return NULL;
}

void page_checks_unregister(void *vfs) {
    sqlite3_vfs_unregister(vfs);
    free(vfs);
}
