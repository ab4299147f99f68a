#include "Files.h"

// A disk has one queue: while it takes the megabytes that one file's sync covers, the sync of another, such as the journal's,
// for which callers wait, stands behind all of them. So what is written goes to the disk in pieces. It must be on it before
// the file's own next sync returns anyway, and to have it there earlier breaks no order between files: SQLite syncs a log
// before it writes to the database, and the database before it empties the log.

int sync_through(sqlite3_file *file, int flags) {
    ((own_file *)file)->unsynced = 0;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

int write_through(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    int code = real_of(file)->pMethods->xWrite(real_of(file), bytes, count, offset);
    if (code != SQLITE_OK) return code;
    own_file *own = (own_file *)file;
    own->unsynced += count;
    return own->unsynced >= own->piece ? sync_through(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY) : SQLITE_OK;
}

int passed_lock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xLock(real_of(file), level); }

int passed_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

int passed_check_reserved(sqlite3_file *file, int *result) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

int passed_control(sqlite3_file *file, int operation, void *argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

int passed_sector_size(sqlite3_file *file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); }

int passed_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
