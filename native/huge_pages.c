// Most Linux systems give huge pages only to memory for which they are asked (transparent_hugepage/enabled: madvise), and
// llama.cpp does not ask: every token then reads all weights through pages of 4 KiB. Its buffers come from malloc, which
// makes a mapping for each. A line of the log tells of a buffer between its allocation and its first use, so the mappings
// that have come since the beginning are found then, and pages are asked for before there are any.
#include "huge_pages.h"

#if defined(__linux__)

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 2 << 20, LEAST_BYTES = 2 * PAGE_BYTES };

struct range {
    uintptr_t from, to;
};

struct ranges {
    struct range *list;
    size_t count;
};

static _Thread_local int is_watching;
static _Thread_local struct ranges before;

// Private writable memory without a name, in the order of addresses. Empty where the system does not tell.
static struct ranges anonymous_memory(void) {
    struct ranges found = {NULL, 0};
    size_t room = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) return found;
    char *line = NULL;
    size_t line_room = 0;
    while (getline(&line, &line_room, maps) > 0) {
        struct range range;
        char access[5];
        unsigned long inode;
        int name = 0;
        if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu %n", &range.from, &range.to, access, &inode, &name) < 4) continue;
        if (strcmp(access, "rw-p") != 0 || inode != 0 || line[name] != '\0') continue;
        if (found.count == room) {
            room = room == 0 ? 256 : 2 * room;
            struct range *more = realloc(found.list, room * sizeof *more);
            if (more == NULL) break;
            found.list = more;
        }
        found.list[found.count++] = range;
    }
    free(line);
    fclose(maps);
    return found;
}

static void ask(uintptr_t from, uintptr_t to) {
    from = (from + PAGE_BYTES - 1) & ~(uintptr_t) (PAGE_BYTES - 1);
    to &= ~(uintptr_t) (PAGE_BYTES - 1);
    if (to > from && to - from >= LEAST_BYTES) madvise((void *) from, to - from, MADV_HUGEPAGE);
}

void huge_pages_begin(void) {
    before = anonymous_memory();
    is_watching = before.count > 0;
}

void huge_pages_heed(const char *line) {
    if (!is_watching || strstr(line, "buffer size =") == NULL) return;
    struct ranges now = anonymous_memory();
    size_t old = 0;
    for (size_t i = 0; i < now.count; i++) {
        struct range rest = now.list[i];
        while (old < before.count && before.list[old].to <= rest.from) old++;
        // neighbours are one mapping: what was there before is cut out
        for (size_t j = old; j < before.count && before.list[j].from < rest.to; j++) {
            if (before.list[j].from > rest.from) ask(rest.from, before.list[j].from);
            rest.from = before.list[j].to;
        }
        if (rest.from < rest.to) ask(rest.from, rest.to);
    }
    free(now.list);
}

void huge_pages_end(void) {
    free(before.list);
    before = (struct ranges) {NULL, 0};
    is_watching = 0;
}

#else

void huge_pages_begin(void) {}
void huge_pages_heed(const char *line) { (void) line; }
void huge_pages_end(void) {}

#endif
