// What Swift cannot say itself: system calls outside the imported headers, and signal handlers.
#ifndef CSYSTEM_H
#define CSYSTEM_H

// Renames `from` to `to` in the same file system; fails with EEXIST if `to` exists.
// 0, or the error number. ENOTSUP: this system or file system cannot do it atomically.
int cs_rename_exclusive(const char *from, const char *to);

// Exchanges two existing paths atomically. 0, or the error number; ENOTSUP as above.
int cs_rename_exchange(const char *from, const char *to);

// Reserves `byte_count` bytes for the file and makes it that long. 0, or the error number;
// ENOTSUP: the file system cannot reserve, and nothing was done.
int cs_preallocate(int descriptor, long long byte_count);

// Flushes a file or folder to the medium, not just to the drive where the system knows the
// difference. 0, or the error number.
int cs_synchronize(int descriptor);

// Asks the system to begin writing what the file has in the page cache; a hint, done by the time of
// cs_synchronize or not.
void cs_start_writeback(int descriptor);

// From now on SIGTERM and the first SIGINT only set a flag, a second SIGINT ends the process at
// once with status 130, and SIGXFSZ and SIGPIPE are ignored so that the calls fail instead.
void cs_catch_stop_signals(void);

// SIGXFSZ is ignored, so that writing past the limit on file sizes fails with EFBIG.
void cs_ignore_file_size_signal(void);

// The signal that asked to stop: 0, SIGINT or SIGTERM.
int cs_stop_signal(void);

#endif
