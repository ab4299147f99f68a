#include <sqlite3.h>

// The destructor constants are casts in C macros, which Swift does not import.
static inline sqlite3_destructor_type tollgate_sqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type tollgate_sqlite_static(void) { return SQLITE_STATIC; }

// sqlite3_db_config and sqlite3_config take their values as C varargs, which Swift does not import.
static inline int tollgate_sqlite_keep_wal(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

static inline int tollgate_sqlite_distrust_schema(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
}

// Without its statistics of memory SQLite takes no lock for each allocation. Before the first connection only.
static inline int tollgate_sqlite_no_memory_statistics(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// From now on SQLite's random numbers, of the whole process, follow from the seed, which is not 0: for simulations.
static inline void tollgate_sqlite_seed_randomness(unsigned int seed) {
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)seed, (sqlite3 *)0);
    sqlite3_randomness(0, (void *)0);
}
