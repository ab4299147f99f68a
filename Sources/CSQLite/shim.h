#include <sqlite3.h>

// The destructor constants are casts in C macros, which Swift does not import.
static inline sqlite3_destructor_type tollgate_sqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type tollgate_sqlite_static(void) { return SQLITE_STATIC; }
