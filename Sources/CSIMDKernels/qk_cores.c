#define _GNU_SOURCE // sched_getaffinity, which Swift's Glibc module does not show

#include "qk_cores.h"

#if defined(__linux__)
#include <sched.h>

int qk_affinity_count(void) {
    // 16 of these hold 16384 cores, more than any kernel is built for.
    cpu_set_t sets[16];
    if (sched_getaffinity(0, sizeof sets, sets) != 0)
        return 0;
    return CPU_COUNT_S(sizeof sets, sets);
}
#else
int qk_affinity_count(void) { return 0; }
#endif
