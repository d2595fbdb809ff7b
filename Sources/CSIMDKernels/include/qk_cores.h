#ifndef QK_CORES_H
#define QK_CORES_H

/// Returns the number of cores in the affinity mask of the calling thread, or 0 where the system
/// has no such mask.
int qk_affinity_count(void);

#endif
