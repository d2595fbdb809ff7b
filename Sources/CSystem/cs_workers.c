#define _GNU_SOURCE // sched_getaffinity
#include "CSystem.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CACHE_LINE = 64 };

struct cs_workers {
    int count;             // threads beside the caller
    long spin_nanoseconds; // how long whoever waits looks before it sleeps
    pthread_t *threads;
    unsigned forks; // the value of `forks` when the threads were started

    // What a job is; written by its caller before the generation moves on.
    void (*work)(void *context, int worker);
    void *context;
    int width;

    _Alignas(CACHE_LINE) atomic_int is_busy;
    atomic_int is_stopping;
    atomic_int sleeping_count; // workers asleep
    atomic_int is_caller_asleep;
    _Alignas(CACHE_LINE) atomic_uint generation; // moves on with every job
    _Alignas(CACHE_LINE) atomic_uint pending;    // workers that are not through with the job
#if !defined(__linux__)
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
};

typedef struct {
    cs_workers *pool;
    int number;
} worker_argument;

// A child of fork() has the memory of its parent but none of its threads.
static atomic_uint forks;

static void count_fork(void) { atomic_fetch_add(&forks, 1); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

static void relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void cs_relax(int turn) {
    // Where threads outnumber cores, the one that is waited for may need this one.
    if ((turn & 1023) == 1023)
        sched_yield();
    else
        relax();
}

static long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

// MARK: Sleeping until a word changes

#if defined(__linux__)
static void sleep_while(cs_workers *pool, atomic_uint *word, unsigned value) {
    (void)pool;
    // Returns at once if the word is another by now; a signal may wake it early.
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(cs_workers *pool, atomic_uint *word) {
    (void)pool;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void sleep_while(cs_workers *pool, atomic_uint *word, unsigned value) {
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(word) == value)
        pthread_cond_wait(&pool->changed, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

static void wake(cs_workers *pool, atomic_uint *word) {
    (void)word;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}
#endif

// Looks at a word until it is another, for as long as the pool spins. Returns its last value.
static unsigned spin_while(const cs_workers *pool, atomic_uint *word, unsigned value) {
    unsigned found = atomic_load_explicit(word, memory_order_acquire);
    if (found != value || pool->spin_nanoseconds == 0)
        return found;
    long end = nanoseconds() + pool->spin_nanoseconds;
    do {
        for (int turn = 0; turn < 64; turn++) {
            relax();
            found = atomic_load_explicit(word, memory_order_acquire);
            if (found != value)
                return found;
        }
    } while (nanoseconds() < end);
    return found;
}

// MARK: Workers

static void *run_worker(void *argument) {
    worker_argument own = *(worker_argument *)argument;
    free(argument);
    cs_workers *pool = own.pool;
    unsigned seen = 0;
    while (1) {
        unsigned found = spin_while(pool, &pool->generation, seen);
        if (found == seen) {
            // In this order, and the caller in the other: one of both sees what the other did.
            atomic_fetch_add(&pool->sleeping_count, 1);
            while ((found = atomic_load(&pool->generation)) == seen)
                sleep_while(pool, &pool->generation, seen);
            atomic_fetch_sub(&pool->sleeping_count, 1);
        }
        seen = found;
        if (atomic_load(&pool->is_stopping))
            return NULL;
        if (own.number < pool->width)
            pool->work(pool->context, own.number);
        if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->is_caller_asleep))
            wake(pool, &pool->pending);
    }
}

// Starts the threads, or fewer if the system has no more.
static void start(cs_workers *pool) {
    int wanted = pool->count;
    pool->forks = atomic_load(&forks);
    pool->count = 0;
    atomic_store(&pool->generation, 0);
    atomic_store(&pool->sleeping_count, 0);
    atomic_store(&pool->pending, 0);
    pool->threads = calloc((size_t)wanted, sizeof *pool->threads);
    if (pool->threads == NULL)
        return;
    // Signals are the business of the threads that the program made.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->count < wanted) {
        worker_argument *argument = malloc(sizeof *argument);
        if (argument == NULL)
            break;
        *argument = (worker_argument){pool, pool->count + 1};
        if (pthread_create(&pool->threads[pool->count], NULL, run_worker, argument) != 0) {
            free(argument);
            break;
        }
        pool->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

cs_workers *cs_workers_create(int count, long spin_nanoseconds) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    cs_workers *pool = NULL;
    if (posix_memalign((void **)&pool, CACHE_LINE, sizeof *pool) != 0)
        return NULL;
    *pool = (cs_workers){.count = count, .spin_nanoseconds = spin_nanoseconds};
#if !defined(__linux__)
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
#endif
    return pool;
}

int cs_workers_run(cs_workers *pool, int width, void (*work)(void *, int), void *context) {
    unsigned current = atomic_load(&forks);
    if (pool->threads != NULL && pool->forks != current) {
        // The parent's threads, and perhaps a job of one of them, did not come along.
        free(pool->threads);
        pool->threads = NULL;
        atomic_store(&pool->is_busy, 0);
    }
    int expected = 0;
    if (!atomic_compare_exchange_strong(&pool->is_busy, &expected, 1))
        return 0;
    if (pool->threads == NULL)
        start(pool);
    pool->work = work;
    pool->context = context;
    pool->width = width;
    atomic_store_explicit(&pool->pending, (unsigned)pool->count, memory_order_relaxed);
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleeping_count) > 0)
        wake(pool, &pool->generation);

    work(context, 0);

    unsigned pending = atomic_load_explicit(&pool->pending, memory_order_acquire);
    while (pending != 0) {
        unsigned now = spin_while(pool, &pool->pending, pending);
        if (now == pending) {
            atomic_store(&pool->is_caller_asleep, 1);
            while ((now = atomic_load(&pool->pending)) != 0)
                sleep_while(pool, &pool->pending, now);
            atomic_store(&pool->is_caller_asleep, 0);
        }
        pending = now;
    }
    atomic_store(&pool->is_busy, 0);
    return 1;
}

void cs_workers_destroy(cs_workers *pool) {
    if (pool->threads != NULL && pool->forks == atomic_load(&forks)) {
        atomic_store(&pool->is_stopping, 1);
        atomic_fetch_add(&pool->generation, 1);
        wake(pool, &pool->generation);
        for (int index = 0; index < pool->count; index++)
            pthread_join(pool->threads[index], NULL);
    }
    free(pool->threads);
#if !defined(__linux__)
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->changed);
#endif
    free(pool);
}

// MARK: Cores

#if defined(__linux__)
int cs_affinity_count(void) {
    // 16 of these hold 16384 cores, more than any kernel is built for.
    cpu_set_t sets[16];
    if (sched_getaffinity(0, sizeof sets, sets) != 0)
        return 0;
    return CPU_COUNT_S(sizeof sets, sets);
}
#else
int cs_affinity_count(void) { return 0; }
#endif
