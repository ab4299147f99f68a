// A table of SQLite whose rows lie in the caller's memory: INSERT ... SELECT over it writes any number of rows with one run
// of a statement. A statement that is bound and run for each row costs three times as much, most of it for cursors that are
// opened and closed again and for the way from the root to the place where the row before it went.
#ifndef TOLLGATE_CMEMORYROWS_H
#define TOLLGATE_CMEMORYROWS_H

#include <stddef.h>
#include <stdint.h>

// An integer that is NULL.
static const int64_t memory_row_null = INT64_MIN;

// The columns a, b, c, key (a blob of 16 bytes) and bytes (a blob).
typedef struct memory_row {
    int64_t a, b, c;
    uint64_t key[2];
    const void *bytes;
    size_t count;
} memory_row;

// What the table has at the moment. What the rows point to stays where it is for as long as a statement that reads them runs.
typedef struct memory_rows {
    const memory_row *rows;
    size_t count;
} memory_rows;

// Makes the table `memory_rows` known to a connection (sqlite3 *). It lives as long as the connection, and so does what is
// returned; NULL where there is no memory. (SQLite's own types are left to CSQLite: a type belongs to one module.)
memory_rows *memory_rows_register(void *connection);

#endif
