// What Swift cannot say itself: system calls outside the imported headers, and signal handlers.
#ifndef CSYSTEM_H
#define CSYSTEM_H

// Renames `from` to `to` in the same file system; fails with EEXIST if `to` exists.
// 0, or the error number. ENOTSUP: this system or file system cannot do it atomically.
int cs_rename_exclusive(const char *from, const char *to);

// Exchanges two existing paths atomically. 0, or the error number; ENOTSUP as above.
int cs_rename_exchange(const char *from, const char *to);

// The largest size that a file of this process may have; the largest number if there is no limit. Writing
// beyond it sends SIGXFSZ, which ends a process that does not expect it.
long long cs_file_size_limit(void);

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

// The signal that asked to stop: 0, SIGINT or SIGTERM.
int cs_stop_signal(void);
// Forgets the signal, and lets SIGINT and SIGTERM end the process again.
void cs_release_stop_signals(void);

// Threads that wait for work: `count` of them beside the thread that calls.
typedef struct cs_workers cs_workers;

// The threads start with the first job; fewer, if the system has no more. Whoever waits spins for
// `spin_nanoseconds` before it sleeps. NULL without memory.
cs_workers *cs_workers_create(int count, long spin_nanoseconds);

// Calls `work` once for each worker in 0 ..< `width`, as far as there are threads; worker 0 is the
// caller. Returns 1 when all calls have returned; 0, and calls nothing, while another job runs, be
// it that of a caller further up. Safe from any thread, and in a child after fork().
int cs_workers_run(cs_workers *pool, int width, void (*work)(void *context, int worker), void *context);

// Ends the threads; no job may run.
void cs_workers_destroy(cs_workers *pool);

/// Passes a moment of a loop that waits for another thread; `turn` counts from 0.
void cs_relax(int turn);

// The cores in the affinity mask of the process; 0 if the system does not tell.
int cs_affinity_count(void);

#endif
