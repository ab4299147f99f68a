// What the VFS's files share. A file of ours stands before the base's own, in one piece of memory.
#ifndef TOLLGATE_CSQLITEFILES_FILES_H
#define TOLLGATE_CSQLITEFILES_FILES_H

#include <sqlite3.h>
#include <stdint.h>

// What a file of ours begins with.
typedef struct own_file {
    sqlite3_file file;
    sqlite3_file *real;
    // Bytes that were written since the last sync, and how many may be (Files.c).
    int unsynced, piece;
} own_file;

// Frames that have been written to a log, or will be: see GatheredLog.c.
typedef struct gathered_log {
    own_file own;
    // What is gathered, where it begins in the log and how much it is; NULL while nothing is.
    uint8_t *bytes;
    sqlite3_int64 offset;
    int count;
    // Where the log ends, with what is gathered, as far as this connection has written it.
    sqlite3_int64 end;
    // The page that comes next ends a transaction.
    int commits;
    // The log's database, which knows its log.
    struct checked_file *database;
} gathered_log;

// A database file, whose pages are checked: see PageChecks.c.
typedef struct checked_file {
    own_file own;
    // Its write-ahead log, while that is open.
    gathered_log *log;
} checked_file;

// Our VFS, and what it stands before.
typedef struct own_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    int piece;
} own_vfs;

// Opens the file with the base VFS behind ours.
int checked_file_open(own_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags);
int gathered_log_open(own_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags);

// A write, and a sync of its own where much was written since the last one (Files.c).
int write_through(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset);
int sync_through(sqlite3_file *file, int flags);

// Calls that are the base's alone, whatever the file is (Files.c).
int passed_lock(sqlite3_file *file, int level);
int passed_unlock(sqlite3_file *file, int level);
int passed_check_reserved(sqlite3_file *file, int *result);
int passed_control(sqlite3_file *file, int operation, void *argument);
int passed_sector_size(sqlite3_file *file);
int passed_characteristics(sqlite3_file *file);

// Nobody will read what was gathered: the transaction was rolled back.
void gathered_log_drop(gathered_log *log);

// Bytes that ours take before the base's.
enum {
    LARGER_FILE_BYTES = sizeof(gathered_log) > sizeof(checked_file) ? sizeof(gathered_log) : sizeof(checked_file),
    OWN_FILE_BYTES = (LARGER_FILE_BYTES + 15) & ~15,
};

static inline sqlite3_file *real_of(sqlite3_file *file) { return ((own_file *)file)->real; }

// Where the base's file is, in the memory of one that is being opened.
static inline sqlite3_file *base_file(sqlite3_file *file) { return (sqlite3_file *)((char *)file + OWN_FILE_BYTES); }

#endif
