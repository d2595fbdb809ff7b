#define _GNU_SOURCE
#include "CSystem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

long long cs_file_size_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur > LLONG_MAX)
        return LLONG_MAX;
    return (long long)limit.rlim_cur;
}

#if defined(__linux__)
#include <linux/fs.h>

static int rename_with(const char *from, const char *to, unsigned flags) {
    while (renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) != 0) {
        if (errno == EINTR) continue;
        // An old kernel, or a file system that knows no flags.
        return errno == ENOSYS || errno == EINVAL ? ENOTSUP : errno;
    }
    return 0;
}

int cs_rename_exclusive(const char *from, const char *to) {
    return rename_with(from, to, RENAME_NOREPLACE);
}

int cs_rename_exchange(const char *from, const char *to) {
    return rename_with(from, to, RENAME_EXCHANGE);
}

int cs_preallocate(int descriptor, long long byte_count) {
    // Not posix_fallocate: where the file system cannot reserve, glibc's writes into every block.
    while (fallocate(descriptor, 0, 0, byte_count) != 0) {
        if (errno == EINTR) continue;
        return errno == EOPNOTSUPP || errno == ENOSYS ? ENOTSUP : errno;
    }
    return 0;
}

void cs_start_writeback(int descriptor) {
    // Neither waits nor takes errors: fsync still reports whatever goes wrong.
    (void)sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int cs_synchronize(int descriptor) {
    while (fsync(descriptor) != 0) {
        // Interrupted is not failed: nothing was dropped. Every other error is final.
        if (errno != EINTR) return errno;
    }
    return 0;
}

#elif defined(__APPLE__)

static int rename_with(const char *from, const char *to, unsigned flags) {
    while (renamex_np(from, to, flags) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

int cs_rename_exclusive(const char *from, const char *to) {
    return rename_with(from, to, RENAME_EXCL);
}

int cs_rename_exchange(const char *from, const char *to) {
    return rename_with(from, to, RENAME_SWAP);
}

int cs_preallocate(int descriptor, long long byte_count) {
    fstore_t wanted = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, byte_count, 0};
    if (byte_count > 0 && fcntl(descriptor, F_PREALLOCATE, &wanted) != 0) {
        return errno == ENOTTY || errno == EINVAL ? ENOTSUP : errno;
    }
    return ftruncate(descriptor, byte_count) == 0 ? 0 : errno;
}

void cs_start_writeback(int descriptor) {
    (void)descriptor;
}

int cs_synchronize(int descriptor) {
    // fsync leaves the data in the drive's cache there.
    if (fcntl(descriptor, F_FULLFSYNC) == 0) return 0;
    while (fsync(descriptor) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

#else
#error "only Linux and macOS are known here"
#endif
