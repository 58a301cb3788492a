// Files that fail, for tests: preloaded into a program, it makes the FAULT_AT-th call that changes a file whose path contains
// FAULT_PATH fail with FAULT_ERRNO, and all that follow it where FAULT_LASTING is set. Calls: pwrite64, write, fsync,
// fdatasync, ftruncate, ftruncate64, rename, unlink, and mmap of a shared file (memory that the system refuses). With
// FAULT_SHORT a write that fails writes half of its bytes first. With FAULT_KILL the program is killed at that call instead, as
// by kill -9. With FAULT_COMMITS only the ends of transactions count, as SQLite writes them to its log. At the end the number
// of calls is in the file FAULT_COUNT. With FAULT_MEMORY the calls that count, and fail, are
// others: those for memory of the program's own. (Its allocator is part of it and reserves what it gives out in few large
// pieces, so no single allocation can be made to fail; where the system has no page for one, it kills the program.)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int of_path(const char *path) {
  const char *part = getenv("FAULT_PATH");
  return part != NULL && strstr(path, part) != NULL;
}

static int of_file(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return of_path(path);
}

static void die(void) {
  if (getenv("FAULT_KILL") != NULL) kill(getpid(), SIGKILL);
}

// Whether this call fails; errno is then set. What a call does before it fails is up to `write_first`.
static int fails_after(int write_first) {
  long number = ++calls;
  const char *count = getenv("FAULT_COUNT");
  if (count != NULL) {
    int saved = errno;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", number);
    int fd = open(count, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "write");
    if (fd >= 0) { next(fd, text, length); close(fd); }
    errno = saved;
  }
  const char *at = getenv("FAULT_AT");
  if (at == NULL) return 0;
  long wanted = atol(at);
  if (wanted <= 0 || (getenv("FAULT_LASTING") != NULL ? number < wanted : number != wanted)) return 0;
  const char *code = getenv("FAULT_ERRNO");
  errno = code == NULL ? EIO : atoi(code);
  if (!write_first || getenv("FAULT_SHORT") == NULL) die();
  return 1;
}

static int only_commits(void) { return getenv("FAULT_COMMITS") != NULL; }

// The header of a frame of SQLite's log has 24 bytes; in the last one of a transaction bytes 4 to 7 are not 0.
static int is_commit(const void *bytes, size_t count) {
  return count == 24 && memcmp((const char *)bytes + 4, "\0\0\0\0", 4) != 0;
}

static int fails(void) { return !only_commits() && fails_after(0); }

static int is_of_memory(void) { return getenv("FAULT_MEMORY") != NULL; }

// Whether a call on a file is one that counts.
static int counts(int of_the_path) { return of_the_path && !is_of_memory(); }

// Whether the program gets no memory.
static int is_refused(int flags) {
  if (!(flags & MAP_ANONYMOUS) || !is_of_memory() || !fails()) return 0;
  errno = ENOMEM;
  return 1;
}

#define NEXT(result, name, ...)                  \
  static result (*next)(__VA_ARGS__);            \
  if (next == NULL) next = dlsym(RTLD_NEXT, #name);

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t)
  if (counts(of_file(fd)) && (!only_commits() || is_commit(bytes, count)) && fails_after(1)) {
    int code = errno;
    if (getenv("FAULT_SHORT") != NULL && count > 1) next(fd, bytes, count / 2, at);
    die();
    errno = code;
    return -1;
  }
  return next(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  NEXT(ssize_t, write, int, const void *, size_t)
  if (counts(of_file(fd)) && !only_commits() && fails_after(1)) {
    int code = errno;
    if (getenv("FAULT_SHORT") != NULL && count > 1) next(fd, bytes, count / 2);
    die();
    errno = code;
    return -1;
  }
  return next(fd, bytes, count);
}

int fsync(int fd) {
  NEXT(int, fsync, int)
  return counts(of_file(fd)) && fails() ? -1 : next(fd);
}

int fdatasync(int fd) {
  NEXT(int, fdatasync, int)
  return counts(of_file(fd)) && fails() ? -1 : next(fd);
}

int ftruncate(int fd, off_t length) {
  NEXT(int, ftruncate, int, off_t)
  return counts(of_file(fd)) && fails() ? -1 : next(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  NEXT(int, ftruncate64, int, off64_t)
  return counts(of_file(fd)) && fails() ? -1 : next(fd, length);
}

int rename(const char *from, const char *to) {
  NEXT(int, rename, const char *, const char *)
  return counts(of_path(from) || of_path(to)) && fails() ? -1 : next(from, to);
}

int unlink(const char *path) {
  NEXT(int, unlink, const char *)
  return counts(of_path(path)) && fails() ? -1 : next(path);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  NEXT(void *, mmap64, void *, size_t, int, int, int, off64_t)
  if (is_refused(flags)) return MAP_FAILED;
  if (fd >= 0 && (flags & MAP_SHARED) && counts(of_file(fd)) && fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return next(at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  NEXT(void *, mmap, void *, size_t, int, int, int, off_t)
  if (is_refused(flags)) return MAP_FAILED;
  if (fd >= 0 && (flags & MAP_SHARED) && counts(of_file(fd)) && fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return next(at, length, protection, flags, fd, offset);
}
