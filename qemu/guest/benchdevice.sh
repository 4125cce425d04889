# SPDX-License-Identifier: GPL-2.0-only
#
# The null_blk device of the comparison bench: $GB large, its volatile cache $CACHE MiB.
#
# It has been written from end to end before anything is measured, as a solid-state drive is for a comparison (WRITTEN=0: a new one for each
# work; what is larger than the guest's memory cannot be written). null_blk takes a page from the kernel, zeroed, at the first write to each
# block: some 3,000 instructions that no device asks of a processor, and that only who writes elsewhere than before would pay.
DEVICE=/dev/nullb0
fresh_device() {
	[ ! -b $DEVICE ] || return 0
	must modprobe null_blk nr_devices=1 queue_mode=2 irqmode=2 completion_nsec=80000 memory_backed=1 gb=$GB bs=512 cache_size=$CACHE \
		submit_queues=1 hw_queue_depth=128
	[ ${WRITTEN:-1} = 1 ] || return 0
	must dd if=/dev/zero of=$DEVICE bs=1M count=$((GB * 1024)) conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
}
drop_device() { [ ${WRITTEN:-1} = 1 ] || must modprobe -r null_blk; }
