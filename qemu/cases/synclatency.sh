# How long callers of fsync wait, by the clock that counts instructions, on a memory-backed device of 80 us: a load that laps the
# ring many times over, and nobody is stalled. SECONDS_EACH=600 for the long showing; no test of its own: what it says is a measure.
# disks: none
# clock: instructions
# memory: 3072
# modules: null_blk
# files: build/test/torture
# kernels: none
# timeout: 500
# environment: SECONDS_EACH=20 CACHE=0 CALLERS=1,8 WORKS=overwrite,append,create FS=lcpfs BATCH_TIMEOUT_US=0
must modprobe null_blk nr_devices=1 queue_mode=2 irqmode=2 completion_nsec=80000 memory_backed=1 gb=2 bs=512 cache_size=$CACHE \
	submit_queues=1 hw_queue_depth=128
DISKS=/dev/nullb0
must make_pool
must mount_pool /mnt
[ $BATCH_TIMEOUT_US = 0 ] || echo $BATCH_TIMEOUT_US >$(echo /sys/fs/lcpfs/*/log/batch_timeout_us) || fail "batch_timeout_us"
for callers in $(echo $CALLERS | tr , " "); do
	for work in $(echo $WORKS | tr , " "); do
		must mkdir /mnt/w
		must /files/torture sync-load /mnt/w $work $callers $SECONDS_EACH histogram
		[ -z "$(ls -d /sys/fs/lcpfs/*/log 2>/dev/null)" ] || grep -s . /sys/fs/lcpfs/*/log/*
		must rm -r /mnt/w
	done
done
must umount /mnt
must check_pool
