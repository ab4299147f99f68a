#include "CSQLiteMemory.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Sizes are rounded to 16 bytes up to 1 KiB and to 512 above: a page of the cache, with what SQLite keeps of it, loses 5%.
enum { FINE_BYTES = 16, FINE_UP_TO = 1024, COARSE_BYTES = 512 };
enum {
    FINE_LISTS = FINE_UP_TO / FINE_BYTES,
    LISTS = FINE_LISTS + (SQLITE_MEMORY_LARGEST_KEPT - FINE_UP_TO) / COARSE_BYTES,
};

// Stands before what SQLite is given, and keeps it aligned to 8 bytes, as SQLite needs it.
typedef struct piece_head {
    // Of what follows.
    size_t bytes;
} piece_head;

// What a piece has in its first bytes while it waits.
typedef struct kept_piece {
    struct kept_piece *next;
} kept_piece;

typedef struct kept_memory {
    kept_piece *lists[LISTS];
    size_t bytes;
    int is_known;
} kept_memory;

static _Thread_local kept_memory kept;
static pthread_key_t at_end_of_thread;

static piece_head *head_of(void *piece) { return (piece_head *)piece - 1; }

static int rounded(int bytes) {
    int unit = bytes <= FINE_UP_TO ? FINE_BYTES : COARSE_BYTES;
    return bytes <= SQLITE_MEMORY_LARGEST_KEPT ? (bytes + unit - 1) / unit * unit : (bytes + 7) & ~7;
}

// Of a rounded size that is kept.
static size_t list_of(size_t bytes) {
    return bytes <= FINE_UP_TO ? bytes / FINE_BYTES - 1 : FINE_LISTS + (bytes - FINE_UP_TO) / COARSE_BYTES - 1;
}

static void give_all_back(void *memory) {
    kept_memory *all = memory;
    for (int i = 0; i < LISTS; i++) {
        while (all->lists[i]) {
            kept_piece *piece = all->lists[i];
            all->lists[i] = piece->next;
            free(head_of(piece));
        }
    }
    // What this thread frees from now on nobody would give back.
    all->bytes = SQLITE_MEMORY_KEPT_BYTES;
}

static void *take(int count) {
    size_t bytes = (size_t)rounded(count > 0 ? count : 1);
    if (bytes <= SQLITE_MEMORY_LARGEST_KEPT) {
        kept_piece **list = &kept.lists[list_of(bytes)];
        kept_piece *piece = *list;
        if (piece) {
            *list = piece->next;
            kept.bytes -= bytes;
            return piece;
        }
    }
    piece_head *head = malloc(sizeof *head + bytes);
    if (!head) return NULL;
    head->bytes = bytes;
    return head + 1;
}

static void give(void *memory) {
    if (!memory) return;
    size_t bytes = head_of(memory)->bytes;
    if (bytes > SQLITE_MEMORY_LARGEST_KEPT || kept.bytes + bytes > SQLITE_MEMORY_KEPT_BYTES) {
        free(head_of(memory));
        return;
    }
    if (!kept.is_known) kept.is_known = pthread_setspecific(at_end_of_thread, &kept) == 0;
    kept_piece *piece = memory;
    kept_piece **list = &kept.lists[list_of(bytes)];
    piece->next = *list;
    *list = piece;
    kept.bytes += bytes;
}

static int size_of(void *memory) { return memory ? (int)head_of(memory)->bytes : 0; }

static void *resize(void *memory, int count) {
    size_t before = head_of(memory)->bytes;
    size_t bytes = (size_t)rounded(count);
    if (bytes == before) return memory;
    if (before > SQLITE_MEMORY_LARGEST_KEPT && bytes > SQLITE_MEMORY_LARGEST_KEPT) {
        piece_head *head = realloc(head_of(memory), sizeof *head + bytes);
        if (!head) return NULL;
        head->bytes = bytes;
        return head + 1;
    }
    void *result = take(count);
    if (!result) return NULL;
    memcpy(result, memory, before < bytes ? before : bytes);
    give(memory);
    return result;
}

static int begin(void *context) {
    (void)context;
    return SQLITE_OK;
}

static void end(void *context) { (void)context; }

int sqlite_memory_install(void) {
// The address sanitizer sees what is used after it was freed only where it is really freed.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    return SQLITE_OK;
#endif
#endif
    static const sqlite3_mem_methods methods = {take, give, resize, size_of, rounded, begin, end, NULL};
    if (pthread_key_create(&at_end_of_thread, give_all_back) != 0) return SQLITE_NOMEM;
    int code = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    // Pages one by one, as any other piece: in one go SQLite takes those of a cache, used or not, that has just been made.
    return code == SQLITE_OK ? sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) : code;
}
