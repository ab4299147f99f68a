#include "Files.h"

#include <string.h>

// A write-ahead log. SQLite writes a transaction frame by frame, each in two calls, a header of 24 bytes and a page: for the
// kernel the calls cost several times what the bytes do. Here frames gather until the one that ends the transaction
// (file format, section 4.1 "WAL File Format": its header has the size of the database), and go to the disk as one write.
//
// SQLite tells nobody of a frame before the write of the transaction's last one has returned, so that nothing is seen
// too early; whatever else is done to the log comes after what was gathered. Pages that change again after they were written
// are written over, and then the headers behind them, as their checksums build on each other: the one that ends the
// transaction comes once more, and no page after it. So only what goes behind the log's end gathers. What no commit followed
// is dropped when the database's write lock is let go of: it may lie where another connection writes next.

enum { GATHERED_BYTES = 64 << 10, FRAME_HEADER_BYTES = 24 };

static gathered_log *log_of(sqlite3_file *file) { return (gathered_log *)file; }

static void forget_gathered(gathered_log *log) {
    sqlite3_free(log->bytes);
    log->bytes = NULL;
    log->count = 0;
    log->commits = 0;
}

void gathered_log_drop(gathered_log *log) {
    log->end -= log->count;
    forget_gathered(log);
}

static int write_gathered(gathered_log *log) {
    if (log->count == 0) return SQLITE_OK;
    int code = write_through(&log->own.file, log->bytes, log->count, log->offset);
    // Where it failed SQLite gives up the transaction.
    forget_gathered(log);
    return code;
}

static int ends_transaction(const uint8_t *header) { return (header[4] | header[5] | header[6] | header[7]) != 0; }

static int log_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    gathered_log *log = log_of(file);
    if (offset == 0) {
        // The header of the log, which begins anew: nothing in it counts any more.
        gathered_log_drop(log);
        log->end = 0;
    }
    if (offset < log->end) {
        int code = write_gathered(log);
        return code == SQLITE_OK ? write_through(file, bytes, count, offset) : code;
    }
    // Of the page that is written now, whether its header is gathered or went ahead.
    int commits = log->commits;
    if (offset > log->end || log->count + count > GATHERED_BYTES) {
        int code = write_gathered(log);
        if (code != SQLITE_OK) return code;
    }
    log->end = offset + count;
    if (!log->bytes && count <= GATHERED_BYTES) log->bytes = sqlite3_malloc(GATHERED_BYTES);
    if (!log->bytes) return write_through(file, bytes, count, offset);
    if (log->count == 0) log->offset = offset;
    memcpy(log->bytes + log->count, bytes, (size_t)count);
    log->count += count;
    if (commits) return write_gathered(log);
    log->commits = count == FRAME_HEADER_BYTES && ends_transaction(bytes);
    return SQLITE_OK;
}

static int log_close(sqlite3_file *file) {
    gathered_log *log = log_of(file);
    gathered_log_drop(log);
    if (log->database) log->database->log = NULL;
    return log->own.real->pMethods->xClose(log->own.real);
}

static int log_read(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    int code = write_gathered(log_of(file));
    return code == SQLITE_OK ? real_of(file)->pMethods->xRead(real_of(file), buffer, count, offset) : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int code = write_gathered(log_of(file));
    if (log_of(file)->end > size) log_of(file)->end = size;
    return code == SQLITE_OK ? real_of(file)->pMethods->xTruncate(real_of(file), size) : code;
}

static int log_sync(sqlite3_file *file, int flags) {
    int code = write_gathered(log_of(file));
    return code == SQLITE_OK ? sync_through(file, flags) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size) {
    int code = write_gathered(log_of(file));
    return code == SQLITE_OK ? real_of(file)->pMethods->xFileSize(real_of(file), size) : code;
}

static const sqlite3_io_methods log_methods = {
    1, log_close, log_read, log_write, log_truncate, log_sync, log_size, passed_lock, passed_unlock, passed_check_reserved,
    passed_control, passed_sector_size, passed_characteristics,
};

int gathered_log_open(own_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    gathered_log *log = log_of(file);
    memset(log, 0, sizeof *log);
    log->own.real = base_file(file);
    log->own.piece = vfs->piece;
    int code = vfs->base->xOpen(vfs->base, path, log->own.real, flags, out_flags);
    if (!log->own.real->pMethods) return code;
    file->pMethods = &log_methods;
    log->database = (checked_file *)sqlite3_database_file_object(path);
    log->database->log = log;
    return code;
}
