/* Records what a process asks of the disk, and in which order it answers, so that a power cut can be replayed.
 *
 * Loaded by LD_PRELOAD. Watches the files under $POWERCUT_DIR: every write, truncation, rename, removal and sync goes to
 * the log $POWERCUT_LOG, in the order in which it happened (one lock around call and record). Bytes sent anywhere else that
 * begin with "HTTP/1.1 202" are recorded as an answer. The calls themselves are carried out unchanged.
 *
 * A record is: 1 byte kind, 4 bytes file number, 8 bytes offset, 4 bytes length, then that many bytes (all little-endian).
 *   O open      data = path; offset = 1 if truncated      D open of a directory, data = path
 *   W write     offset, data
 *   T truncate  offset = length                           S sync      (of a file or a directory)
 *   R rename    data = old path, NUL, new path            U unlink    data = path
 *   A answer    data = the bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 65536
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *watched;
static size_t watched_length;
static uint32_t next_number = 1;
static uint32_t number_of[MAX_FD];

#define REAL(ret, name, ...) \
    static ret (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERCUT_LOG");
    watched = getenv("POWERCUT_DIR");
    if (!path || !watched) return;
    watched_length = strlen(watched);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static void put(const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        ssize_t done = syscall(SYS_write, log_fd, at, length);
        if (done <= 0) _exit(97); /* an incomplete log would prove nothing */
        at += done;
        length -= (size_t)done;
    }
}

static void record(char kind, uint32_t file, uint64_t offset, const void *data, uint32_t length) {
    char head[17];
    head[0] = kind;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 4);
    put(head, sizeof head);
    put(data, length);
}

static int is_watched(const char *path) {
    return log_fd >= 0 && path && strncmp(path, watched, watched_length) == 0;
}

static uint32_t file_of(int fd) { return fd >= 0 && fd < MAX_FD ? number_of[fd] : 0; }

static void opened(int fd, const char *path, int flags) {
    if (fd < 0 || fd >= MAX_FD || !is_watched(path)) return;
    number_of[fd] = next_number++;
    struct stat kind;
    char opened = fstat(fd, &kind) == 0 && S_ISDIR(kind.st_mode) ? 'D' : 'O';
    record(opened, number_of[fd], (flags & O_TRUNC) ? 1 : 0, path, (uint32_t)strlen(path));
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, name, const char *, int, ...); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); } \
        pthread_mutex_lock(&lock); \
        int fd = real_##name(path, flags, mode); \
        opened(fd, path, flags); \
        pthread_mutex_unlock(&lock); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int dir, const char *path, int flags, ...) { \
        REAL(int, name, int, const char *, int, ...); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); } \
        pthread_mutex_lock(&lock); \
        int fd = real_##name(dir, path, flags, mode); \
        opened(fd, path, flags); \
        pthread_mutex_unlock(&lock); \
        return fd; \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(int, close, int);
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < MAX_FD) number_of[fd] = 0;
    int result = real_close(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

static void wrote(int fd, const void *data, ssize_t done, uint64_t offset) {
    if (file_of(fd) && done > 0) record('W', file_of(fd), offset, data, (uint32_t)done);
}

#define PWRITE(name, off) \
    ssize_t name(int fd, const void *data, size_t length, off offset) { \
        REAL(ssize_t, name, int, const void *, size_t, off); \
        pthread_mutex_lock(&lock); \
        ssize_t done = real_##name(fd, data, length, offset); \
        wrote(fd, data, done, (uint64_t)offset); \
        pthread_mutex_unlock(&lock); \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Is it the beginning of an answer that says "kept"? Then it is recorded before it can be seen. */
static void answered(int fd, const void *data, size_t length) {
    if (log_fd >= 0 && !file_of(fd) && length >= 12 && memcmp(data, "HTTP/1.1 202", 12) == 0)
        record('A', 0, 0, data, (uint32_t)length);
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (fd == log_fd) return real_write(fd, data, length);
    pthread_mutex_lock(&lock);
    off_t at = file_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    answered(fd, data, length);
    ssize_t done = real_write(fd, data, length);
    wrote(fd, data, done, (uint64_t)at);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    REAL(ssize_t, send, int, const void *, size_t, int);
    pthread_mutex_lock(&lock);
    answered(fd, data, length);
    pthread_mutex_unlock(&lock);
    return real_send(fd, data, length, flags);
}

static char joined[1 << 16];

static size_t join(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        size_t part = parts[i].iov_len;
        if (length + part > sizeof joined) part = sizeof joined - length;
        memcpy(joined + length, parts[i].iov_base, part);
        length += part;
    }
    return length;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    pthread_mutex_lock(&lock);
    if (file_of(fd)) _exit(98); /* nobody writes files this way; if somebody begins to, record it */
    answered(fd, joined, join(parts, count));
    pthread_mutex_unlock(&lock);
    return real_writev(fd, parts, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
    pthread_mutex_lock(&lock);
    answered(fd, joined, join(message->msg_iov, (int)message->msg_iovlen));
    pthread_mutex_unlock(&lock);
    return real_sendmsg(fd, message, flags);
}

#define TRUNCATE(name, off) \
    int name(int fd, off length) { \
        REAL(int, name, int, off); \
        pthread_mutex_lock(&lock); \
        int result = real_##name(fd, length); \
        if (result == 0 && file_of(fd)) record('T', file_of(fd), (uint64_t)length, "", 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        REAL(int, name, int); \
        pthread_mutex_lock(&lock); \
        int result = real_##name(fd); \
        if (result == 0 && file_of(fd)) record('S', file_of(fd), 0, "", 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)

static void renamed(const char *from, const char *to) {
    char both[8192];
    int length = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
    record('R', 0, 0, both, (uint32_t)length);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    pthread_mutex_lock(&lock);
    int result = real_rename(from, to);
    if (result == 0 && is_watched(to)) renamed(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    pthread_mutex_lock(&lock);
    int result = real_unlink(path);
    if (result == 0 && is_watched(path)) record('U', 0, 0, path, (uint32_t)strlen(path));
    pthread_mutex_unlock(&lock);
    return result;
}
