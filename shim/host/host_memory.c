// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_memory.c: general memory for the core, and the size of the machine's.
 *
 * All of it is NOFS: the core allocates under its own locks, and reclaim that came back into a filesystem
 * could want one of them. Contexts as host.h says.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "core/host/host.h"

void *host_alloc(size_t bytes, unsigned int flags)
{
	gfp_t zero = flags & HOST_ALLOC_ZERO ? __GFP_ZERO : 0;

	if (flags & HOST_ALLOC_ATOMIC)
		return kmalloc(bytes, GFP_ATOMIC | __GFP_NOWARN | zero);
	return kvmalloc(bytes, GFP_NOFS | zero);
}

void host_free(void *memory)
{
	kvfree(memory);
}

uint64_t host_memory_bytes(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
}
