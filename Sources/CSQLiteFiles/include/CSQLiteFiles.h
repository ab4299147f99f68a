// An SQLite VFS over another one, in two respects of its own; everything else is the other one's.
//
// A checksum for each page of a database, so that a page that rotted on the disk is never taken for what was written
// (PageChecks.c): each page that goes into a database file gets, in its last bytes, which SQLite keeps free for that (file
// format, section 1.3.4 "Reserved bytes per page"), a CRC-32C of the page's number and its other bytes; a page that does not
// check when it is read is an error, SQLITE_IOERR_DATA. SQLite's own cksumvfs does the same with a weaker sum. Pages in a
// write-ahead log have the log's own checksums and get theirs when they are moved into the file.
//
// What a transaction writes to a write-ahead log goes there in few writes, and not in two for each page (GatheredLog.c).
#ifndef TOLLGATE_CSQLITEFILES_H
#define TOLLGATE_CSQLITEFILES_H

#include <stddef.h>

// The only page size that is checked; every database of the product has it.
enum { PAGE_CHECKS_PAGE_BYTES = 4096 };
// Bytes at the end of a page that a database must keep free (SQLITE_FCNTL_RESERVE_BYTES, before its first page is written).
enum { PAGE_CHECKS_RESERVED_BYTES = 4 };

// Registers the VFS `name` over `base` (NULL: SQLite's default). What is written to a file is synced each `piece` bytes. The names stay the caller's and must live until
// sqlite_files_unregister. NULL where there is no memory or no such base. (SQLite's own types are left to CSQLite: a type
// belongs to one module.)
void *sqlite_files_register(const char *name, const char *base, int piece);
void sqlite_files_unregister(void *vfs);

// Writes the checksums into the image of a database file, whose pages keep the bytes for it free.
void page_checks_stamp(void *image, size_t length);

#endif
