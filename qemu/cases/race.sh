# Several processes on the same few names: writing, cutting, mapping, renaming, linking, removing, syncing. Then the machine
# is killed in the middle of it, and what is found is what a race can leave.
# disks: 2x256M
# files: build/test/torture
# cpus: 2
# boots: 2
# kernels: 6.12 debug
# timeout: 300
T=/files/torture
if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt txg_interval=1
	must $T race /mnt ${PROCESSES:-6} ${SECONDS_OF_RACE:-45} 1
	must $T words /mnt
	df /mnt
	must umount /mnt
	must check_pool
	must mount_pool /mnt txg_interval=1
	must $T words /mnt
	say "the same until the machine is killed ($(uptime_s) s)"
	kill_machine ${KILL_AFTER:-10}
	must $T race /mnt 4 600 2
	await_death
fi
must mount_pool /mnt
must $T words /mnt
must $T race /mnt 4 5 3
must umount /mnt
must check_pool
say "clean after the kill ($(uptime_s) s)"
