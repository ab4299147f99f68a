// SQLite's memory, of which each thread keeps some at hand.
//
// To open a shard, write to it and close it takes SQLite a thousand allocations, for which the C library has to look for room
// again and again, as what is freed is merged in between. Debian builds SQLite without its own remedy (lookaside). Here what is
// freed waits in lists by size, up to a bound for each thread; everything else is the C library's.
#ifndef TOLLGATE_CSQLITEMEMORY_H
#define TOLLGATE_CSQLITEMEMORY_H

// Bytes that a thread keeps at hand at most, and of a piece of memory that is kept at all.
enum { SQLITE_MEMORY_KEPT_BYTES = 512 << 10, SQLITE_MEMORY_LARGEST_KEPT = 8 << 10 };

// Has SQLite take its memory from here. Before its first use in the process only; an SQLite code.
int sqlite_memory_install(void);

#endif
