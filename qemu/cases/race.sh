# Several processes on the same few names: writing, cutting, mapping, renaming, linking, removing, syncing; also on a full pool
# and with allocations that fail. Times that are set while the flusher writes others. Then the machine is killed in the middle of it,
# and what is found is what a race can leave.
# disks: 2x256M
# files: build/test/torture
# cpus: 2
# boots: 2
# kernels: 6.12 debug
# timeout: 400
T=/files/torture
if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt txg_interval=1
	must $T race /mnt ${PROCESSES:-6} ${SECONDS_OF_RACE:-45} 1
	must $T words /mnt
	df /mnt
	say "the same on a pool that is full ($(uptime_s) s)"
	dd if=/dev/zero of=/mnt/filler bs=1M 2>/dev/null && fail "the pool is endless"
	must $T race /mnt ${PROCESSES:-6} ${SECONDS_WHEN_FULL:-15} 2 full
	must $T words /mnt
	must rm /mnt/filler
	if [ -d /sys/kernel/debug/failslab ]; then
		say "the same with one allocation in a hundred failing ($(uptime_s) s)"
		cd /sys/kernel/debug/failslab
		echo 1 >probability; echo -1 >times; echo 0 >verbose; echo Y >task-filter; echo N >ignore-gfp-wait
		cd /
		must $T race /mnt 4 ${SECONDS_WITHOUT_MEMORY:-15} 3 full no-memory
		say "and for the kernel's own threads too ($(uptime_s) s)"
		must $T race /mnt 4 ${SECONDS_WITHOUT_MEMORY:-15} 6 full no-memory-for-all
		echo 0 >/sys/kernel/debug/failslab/probability
		must $T words /mnt
	fi
	say "times, with the flusher about ($(uptime_s) s)"
	must mkdir /mnt/times
	must $T times /mnt/times ${TIMES:-500} write
	must umount /mnt
	must check_pool
	must mount_pool /mnt txg_interval=1
	must $T times /mnt/times ${TIMES:-500} check
	must rm -r /mnt/times
	must $T words /mnt
	say "the same until the machine is killed ($(uptime_s) s)"
	kill_machine ${KILL_AFTER:-10}
	must $T race /mnt 4 600 4
	await_death
fi
must mount_pool /mnt
must $T words /mnt
must $T race /mnt 4 5 5
must umount /mnt
must check_pool
say "clean after the kill ($(uptime_s) s)"
