#include "CMemoryRows.h"

#include <sqlite3.h>

typedef struct rows_table {
    sqlite3_vtab table;
    const memory_rows *rows;
} rows_table;

typedef struct rows_cursor {
    sqlite3_vtab_cursor cursor;
    const memory_row *next;
    const memory_row *end;
    const memory_row *first;
} rows_cursor;

static int rows_connect(
    sqlite3 *connection, void *context, int count, const char *const *arguments, sqlite3_vtab **result, char **message) {
    (void)count, (void)arguments, (void)message;
    int code = sqlite3_declare_vtab(connection, "CREATE TABLE t(a, b, c, key, bytes)");
    if (code != SQLITE_OK) return code;
    rows_table *table = sqlite3_malloc(sizeof *table);
    if (!table) return SQLITE_NOMEM;
    *table = (rows_table){.rows = context};
    *result = &table->table;
    return SQLITE_OK;
}

static int rows_disconnect(sqlite3_vtab *table) {
    sqlite3_free(table);
    return SQLITE_OK;
}

// All rows, in their order, whatever is asked.
static int rows_best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    (void)table;
    info->estimatedRows = 1000;
    info->estimatedCost = 1000;
    return SQLITE_OK;
}

static int rows_open(sqlite3_vtab *table, sqlite3_vtab_cursor **result) {
    (void)table;
    rows_cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor) return SQLITE_NOMEM;
    *cursor = (rows_cursor){0};
    *result = &cursor->cursor;
    return SQLITE_OK;
}

static int rows_close(sqlite3_vtab_cursor *cursor) {
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int rows_filter(sqlite3_vtab_cursor *base, int number, const char *name, int count, sqlite3_value **values) {
    (void)number, (void)name, (void)count, (void)values;
    rows_cursor *cursor = (rows_cursor *)base;
    const memory_rows *rows = ((rows_table *)base->pVtab)->rows;
    cursor->first = cursor->next = rows->rows;
    cursor->end = rows->rows + rows->count;
    return SQLITE_OK;
}

static int rows_next(sqlite3_vtab_cursor *cursor) {
    ((rows_cursor *)cursor)->next++;
    return SQLITE_OK;
}

static int rows_eof(sqlite3_vtab_cursor *base) {
    rows_cursor *cursor = (rows_cursor *)base;
    return cursor->next == cursor->end;
}

static void give_integer(sqlite3_context *context, int64_t value) {
    if (value == memory_row_null) {
        sqlite3_result_null(context);
    } else {
        sqlite3_result_int64(context, value);
    }
}

static int rows_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
    const memory_row *row = ((rows_cursor *)base)->next;
    switch (column) {
    case 0: give_integer(context, row->a); break;
    case 1: give_integer(context, row->b); break;
    case 2: give_integer(context, row->c); break;
    case 3: sqlite3_result_blob(context, row->key, sizeof row->key, SQLITE_STATIC); break;
    default: sqlite3_result_blob64(context, row->bytes, row->count, SQLITE_STATIC); break;
    }
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *result) {
    rows_cursor *cursor = (rows_cursor *)base;
    *result = cursor->next - cursor->first;
    return SQLITE_OK;
}

// Without xCreate the table is there by its name alone, and cannot be made by a schema.
static const sqlite3_module rows_module = {
    .iVersion = 1,
    .xConnect = rows_connect,
    .xBestIndex = rows_best_index,
    .xDisconnect = rows_disconnect,
    .xOpen = rows_open,
    .xClose = rows_close,
    .xFilter = rows_filter,
    .xNext = rows_next,
    .xEof = rows_eof,
    .xColumn = rows_column,
    .xRowid = rows_rowid,
};

memory_rows *memory_rows_register(void *connection) {
    memory_rows *rows = sqlite3_malloc(sizeof *rows);
    if (!rows) return NULL;
    *rows = (memory_rows){0};
    // Where that fails SQLite has freed the rows itself.
    int code = sqlite3_create_module_v2(connection, "memory_rows", &rows_module, rows, sqlite3_free);
    return code == SQLITE_OK ? rows : NULL;
}
