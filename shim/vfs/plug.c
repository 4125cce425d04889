// SPDX-License-Identifier: GPL-2.0-only
/*
 * plug.c: what is written past the cache goes out while the rest of it is being prepared.
 *
 * Who submits several requests in one call (libaio, io_uring) plugs the queue until the last of them. Blocks in any order in their file
 * get places in a row, so small writes that arrive together become one request: it leaves when the last of them is ready, all
 * are done at one time, and between that and the next call the processor has nothing to do, nor has the device while they are prepared.
 * So the plug is pulled for a moment each time so much has gone into it: a queue of 32 blocks becomes two requests, and
 * one of them is always on its way.
 */
#include <linux/blkdev.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "shim/vfs/direct.h"

#define LCPFS_PLUG_BYTES SZ_64K

/* Since the plug of somebody on this processor was pulled. Whoever is moved to another one counts there: a request is a little larger. */
static DEFINE_PER_CPU(unsigned int, lcpfs_plugged_bytes);

void lcpfs_plug_written(size_t bytes)
{
	struct blk_plug *plug = current->plug;

	if (!plug || this_cpu_add_return(lcpfs_plugged_bytes, bytes) < LCPFS_PLUG_BYTES)
		return;
	this_cpu_write(lcpfs_plugged_bytes, 0);
	blk_finish_plug(plug);
	blk_start_plug(plug); /* its owner's still, who ends it */
}
