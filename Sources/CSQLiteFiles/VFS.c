#include "CSQLiteFiles.h"
#include "Files.h"

#include <stdlib.h>

static sqlite3_vfs *base_of(sqlite3_vfs *vfs) { return ((own_vfs *)vfs)->base; }

static int own_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    sqlite3_vfs *base = base_of(vfs);
    if (flags & SQLITE_OPEN_MAIN_DB) return checked_file_open((own_vfs *)vfs, path, file, flags, out_flags);
    if (flags & SQLITE_OPEN_WAL) return gathered_log_open((own_vfs *)vfs, path, file, flags, out_flags);
    // Journals and temporary files are the base's alone.
    return base->xOpen(base, path, file, flags, out_flags);
}

static int own_delete(sqlite3_vfs *vfs, const char *path, int syncs) {
    return base_of(vfs)->xDelete(base_of(vfs), path, syncs);
}

static int own_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    return base_of(vfs)->xAccess(base_of(vfs), path, flags, result);
}

static int own_full_path(sqlite3_vfs *vfs, const char *path, int capacity, char *result) {
    return base_of(vfs)->xFullPathname(base_of(vfs), path, capacity, result);
}

static int own_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    return base_of(vfs)->xRandomness(base_of(vfs), count, bytes);
}

static int own_sleep(sqlite3_vfs *vfs, int microseconds) {
    return base_of(vfs)->xSleep(base_of(vfs), microseconds);
}

static int own_time(sqlite3_vfs *vfs, double *time) { return base_of(vfs)->xCurrentTime(base_of(vfs), time); }

static int own_last_error(sqlite3_vfs *vfs, int capacity, char *text) {
    return base_of(vfs)->xGetLastError(base_of(vfs), capacity, text);
}

static int own_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *time) {
    return base_of(vfs)->xCurrentTimeInt64(base_of(vfs), time);
}

void *sqlite_files_register(const char *name, const char *base_name, int piece) {
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    own_vfs *own = base && base->iVersion >= 2 ? calloc(1, sizeof *own) : NULL;
    if (!own) return NULL;
    own->base = base;
    own->piece = piece;
    sqlite3_vfs *vfs = &own->vfs;
    vfs->iVersion = 2;
    vfs->szOsFile = OWN_FILE_BYTES + base->szOsFile;
    vfs->mxPathname = base->mxPathname;
    vfs->zName = name;
    vfs->xOpen = own_open;
    vfs->xDelete = own_delete;
    vfs->xAccess = own_access;
    vfs->xFullPathname = own_full_path;
    vfs->xRandomness = own_randomness;
    vfs->xSleep = own_sleep;
    vfs->xCurrentTime = own_time;
    vfs->xGetLastError = own_last_error;
    vfs->xCurrentTimeInt64 = own_time_int64;
    if (sqlite3_vfs_register(vfs, 0) == SQLITE_OK) return vfs;
    free(own);
    return NULL;
}

void sqlite_files_unregister(void *vfs) {
    sqlite3_vfs_unregister(vfs);
    free(vfs);
}
