/* SPDX-License-Identifier: GPL-2.0-only */
/* host_module.h: what the host keeps from its first use until the module goes. */
#ifndef LCPFS_HOST_MODULE_H
#define LCPFS_HOST_MODULE_H

#include <linux/mempool.h>

/* Has the reserve of a mempool be so many, if it is not as many yet. False: as host_pool_reserve. */
bool host_reserve(mempool_t *pool, unsigned int reserve);

/* The slab caches of all pools, none of which may be left. For the module's exit. */
void host_slabs_destroy(void);
/* The queue kept for the next who wants one. For the module's exit. */
void host_workqueues_end(void);
/* The tables of checksums. For the module's start, before anything else. */
void host_checksum_start(void);
/*
 * A set of bios of the module's own, so that the slab cache that all sets of ours share stays when a pool is closed: destroying it
 * waits for RCU twice, some 20 ms of an unmount. -ENOMEM.
 */
int host_bios_start(void);
void host_bios_end(void);
/* The shrinker of what is kept (host_kept.h), before anything is and when nothing is any more. -ENOMEM. */
int host_kept_start(void);
void host_kept_stop(void);

#endif
