// Makes the Nth file operation of a program fail, for tests of what it leaves behind.
//
//   cc -O2 -shared -fPIC -o faultio.so faultio.c -ldl
//
//   FAULTIO_LOG=FILE      write one line for each operation; the last one is "total N"
//   FAULTIO_AT=N          the Nth operation fails
//   FAULTIO_MODE=MODE     how: ENOSPC, EIO, EDQUOT, EINTR, EMFILE or EACCES is the error number;
//                         SHORT writes half; KILL ends the process in front of the operation
//   FAULTIO_STICKY=1      all operations from the Nth on fail: a disk that stays full
//   FAULTIO_ONLY=FOLDER   count only what happens below this folder
//   FAULTIO_ALLOC_AT=N    the Nth allocation of FAULTIO_ALLOC_MIN bytes (65536) or more fails
//
// Counted: opening for writing, write, pwrite, writev, ftruncate, fallocate, fsync, fdatasync,
// close of what was opened for writing, rename, link, unlink, rmdir, mkdir. One counter for all
// threads.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTOR_COUNT = 65536 };
enum outcome { GO_ON, FAIL, SHORTEN };

static atomic_long operation_count;
static atomic_long allocation_count;
static atomic_char is_watched[DESCRIPTOR_COUNT];
static long fault_at;
static long allocation_fault_at;
static size_t allocation_minimum = 65536;
static int fault_number = EIO;
static int shortens;
static int kills;
static int is_sticky;
static int log_descriptor = -1;
static const char *only_below;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void log_text(const char *text, int length) {
    if (log_descriptor < 0 || length <= 0) return;
    ssize_t ignored = REAL(write)(log_descriptor, text, (size_t)length);
    (void)ignored;
}

__attribute__((constructor)) static void start(void) {
    static const struct {
        const char *name;
        int number;
    } numbers[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT},
                   {"EINTR", EINTR},   {"EMFILE", EMFILE}, {"EACCES", EACCES}};
    const char *value;
    if ((value = getenv("FAULTIO_AT"))) fault_at = atol(value);
    if ((value = getenv("FAULTIO_MODE"))) {
        shortens = strcmp(value, "SHORT") == 0;
        kills = strcmp(value, "KILL") == 0;
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            if (strcmp(value, numbers[i].name) == 0) fault_number = numbers[i].number;
        }
    }
    if ((value = getenv("FAULTIO_ALLOC_AT"))) allocation_fault_at = atol(value);
    if ((value = getenv("FAULTIO_ALLOC_MIN"))) allocation_minimum = strtoul(value, NULL, 0);
    is_sticky = getenv("FAULTIO_STICKY") != NULL;
    only_below = getenv("FAULTIO_ONLY");
    if ((value = getenv("FAULTIO_LOG"))) {
        log_descriptor = REAL(open)(value, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
}

__attribute__((destructor)) static void finish(void) {
    char text[80];
    int length = snprintf(text, sizeof text, "allocations %ld\ntotal %ld\n",
                          (long)allocation_count, (long)operation_count);
    log_text(text, length);
}

// Whether a path, or a path below an open folder, is one to count.
static int counts(int folder, const char *path) {
    if (!only_below) return 1;
    char full[8192] = "";
    if (path[0] != '/') {
        char link[64];
        ssize_t length;
        if (folder == AT_FDCWD) {
            if (!getcwd(full, 4000)) return 0;
            length = (ssize_t)strlen(full);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            length = readlink(link, full, 4000);
            if (length < 0) return 0;
        }
        full[length] = '/';
        full[length + 1] = 0;
    }
    strncat(full, path, 4000);
    return strncmp(full, only_below, strlen(only_below)) == 0;
}

static enum outcome next_operation(const char *name, const char *path) {
    long number = atomic_fetch_add(&operation_count, 1) + 1;
    int hits = fault_at && (number == fault_at || (is_sticky && number > fault_at));
    char text[600];
    int length = snprintf(text, sizeof text, "%ld %s %.500s%s\n", number, name,
                          path ? path : "-", hits ? " FAULT" : "");
    log_text(text, length);
    if (!hits) return GO_ON;
    if (kills) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (shortens) return SHORTEN;
    errno = fault_number;
    return FAIL;
}

static int watched(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTOR_COUNT && is_watched[descriptor];
}

static int watch(int descriptor, int is_counted) {
    if (descriptor >= 0 && descriptor < DESCRIPTOR_COUNT) is_watched[descriptor] = is_counted;
    return descriptor;
}

#define OPEN(FOLDER, CALL)                                                                         \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }                                                                                              \
    int is_counted = (flags & O_ACCMODE) != O_RDONLY && counts(FOLDER, path);                      \
    if (is_counted && next_operation("open", path) == FAIL) return -1;                             \
    return watch(CALL, is_counted);

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, REAL(open)(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, REAL(open64)(path, flags, mode)) }
int openat(int folder, const char *path, int flags, ...) {
    OPEN(folder, REAL(openat)(folder, path, flags, mode))
}
int openat64(int folder, const char *path, int flags, ...) {
    OPEN(folder, REAL(openat64)(folder, path, flags, mode))
}

#define WRITE(NAME, WHOLE, HALF)                                                                   \
    if (!watched(fd)) return WHOLE;                                                                \
    enum outcome outcome = next_operation(NAME, NULL);                                             \
    if (outcome == FAIL) return -1;                                                                \
    return outcome == SHORTEN ? HALF : WHOLE;

static size_t half(size_t count) { return count > 1 ? count / 2 : count; }

ssize_t write(int fd, const void *bytes, size_t count) {
    WRITE("write", REAL(write)(fd, bytes, count), REAL(write)(fd, bytes, half(count)))
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    WRITE("pwrite", REAL(pwrite)(fd, bytes, count, offset),
          REAL(pwrite)(fd, bytes, half(count), offset))
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    WRITE("pwrite", REAL(pwrite64)(fd, bytes, count, offset),
          REAL(pwrite64)(fd, bytes, half(count), offset))
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    WRITE("writev", REAL(writev)(fd, parts, count),
          REAL(write)(fd, parts[0].iov_base, half(parts[0].iov_len)))
}

#define ON_DESCRIPTOR(NAME, CALL)                                                                  \
    if (watched(fd) && next_operation(NAME, NULL) == FAIL) return -1;                              \
    return CALL;

int ftruncate(int fd, off_t length) { ON_DESCRIPTOR("ftruncate", REAL(ftruncate)(fd, length)) }
int ftruncate64(int fd, off64_t length) {
    ON_DESCRIPTOR("ftruncate", REAL(ftruncate64)(fd, length))
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
    ON_DESCRIPTOR("fallocate", REAL(fallocate)(fd, mode, offset, length))
}
int posix_fallocate(int fd, off_t offset, off_t length) {
    if (watched(fd) && next_operation("posix_fallocate", NULL) == FAIL) return errno;
    return REAL(posix_fallocate)(fd, offset, length);
}

// Folders are opened for reading and synchronized all the same.
int fsync(int fd) {
    if (next_operation("fsync", NULL) == FAIL) return -1;
    return REAL(fsync)(fd);
}
int fdatasync(int fd) {
    if (next_operation("fdatasync", NULL) == FAIL) return -1;
    return REAL(fdatasync)(fd);
}

// As the system does it: the descriptor is gone even if close reports an error.
int close(int fd) {
    if (!watched(fd)) return REAL(close)(fd);
    is_watched[fd] = 0;
    if (next_operation("close", NULL) != FAIL) return REAL(close)(fd);
    int number = errno;
    REAL(close)(fd);
    errno = number;
    return -1;
}

#define ON_PATH(NAME, FOLDER, PATH, CALL)                                                          \
    if (counts(FOLDER, PATH) && next_operation(NAME, PATH) == FAIL) return -1;                     \
    return CALL;

int rename(const char *from, const char *to) {
    ON_PATH("rename", AT_FDCWD, to, REAL(rename)(from, to))
}
int renameat(int a, const char *from, int b, const char *to) {
    ON_PATH("rename", b, to, REAL(renameat)(a, from, b, to))
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    ON_PATH("rename", b, to, REAL(renameat2)(a, from, b, to, flags))
}
int link(const char *from, const char *to) {
    ON_PATH("link", AT_FDCWD, to, REAL(link)(from, to))
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    ON_PATH("link", b, to, REAL(linkat)(a, from, b, to, flags))
}
int unlink(const char *path) { ON_PATH("unlink", AT_FDCWD, path, REAL(unlink)(path)) }
int unlinkat(int folder, const char *path, int flags) {
    ON_PATH("unlink", folder, path, REAL(unlinkat)(folder, path, flags))
}
int rmdir(const char *path) { ON_PATH("rmdir", AT_FDCWD, path, REAL(rmdir)(path)) }
int mkdir(const char *path, mode_t mode) {
    ON_PATH("mkdir", AT_FDCWD, path, REAL(mkdir)(path, mode))
}

static int starves(size_t byte_count) {
    if (byte_count < allocation_minimum) return 0;
    long number = atomic_fetch_add(&allocation_count, 1) + 1;
    if (!allocation_fault_at || number != allocation_fault_at) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t count) { return starves(count) ? NULL : __libc_malloc(count); }
void *calloc(size_t count, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(count, size, &product)) product = SIZE_MAX;
    return starves(product) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *bytes, size_t count) {
    return starves(count) ? NULL : __libc_realloc(bytes, count);
}
void *memalign(size_t alignment, size_t count) {
    return starves(count) ? NULL : __libc_memalign(alignment, count);
}
void *aligned_alloc(size_t alignment, size_t count) { return memalign(alignment, count); }
int posix_memalign(void **bytes, size_t alignment, size_t count) {
    void *result = starves(count) ? NULL : __libc_memalign(alignment, count);
    if (!result) return ENOMEM;
    *bytes = result;
    return 0;
}
