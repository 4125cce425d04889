/* SPDX-License-Identifier: GPL-2.0-only */
/* host_module.h: what the host keeps from its first use until the module goes. */
#ifndef LCPFS_HOST_MODULE_H
#define LCPFS_HOST_MODULE_H

/* The slab caches of all pools, none of which may be left. For the module's exit. */
void host_slabs_destroy(void);

#endif
