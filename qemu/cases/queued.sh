# Requests of one caller past the page cache, 32 under way at once: each byte against a model while the file is cut, punched, mapped and
# written by other ways; reads into a mapping of another file, and into memory that changes meanwhile; with compression; and a filesystem
# that is frozen, and unmounted lazily, with requests under way.
# disks: 2x256M
# files: build/test/torture
# programs: fsfreeze
# cpus: 2
# timeout: 300
# environment: OPERATIONS=4000 SEEDS=1
T=/files/torture
[ "$KERNEL" != debug ] || OPERATIONS=$((OPERATIONS / 10))
must make_pool
must mount_pool /mnt txg_interval=1
for seed in $(seq 1 $SEEDS); do must $T queued /mnt/file $OPERATIONS $seed; done
must umount /mnt

say "into a mapping of another file ($(uptime_s) s)"
must mount_pool /mnt
must $T queued /mnt/source mapped /mnt/target $((OPERATIONS / 10))
must umount /mnt

say "into memory that somebody else writes to ($(uptime_s) s)"
must mount_pool /mnt
must $T queued /mnt/scribbled scribbled $((OPERATIONS / 20))
lcpfs status | grep -q "errors     none in" || fail "sound blocks count as damaged: $(lcpfs status)"
must umount /mnt

say "sync=always, logbias=throughput ($(uptime_s) s)"
must mount_pool /mnt sync=always,logbias=throughput
must $T queued /mnt/file $((OPERATIONS / 4)) 4
must umount /mnt

say "compressed ($(uptime_s) s)"
must mount_pool /mnt compression=lz4,txg_interval=1
must $T queued /mnt/compressed $OPERATIONS 5
must umount /mnt
must check_pool

say "frozen and thawed under load ($(uptime_s) s)"
must mount_pool /mnt
$T queued /mnt/file $OPERATIONS 6 &
load=$!
while kill -0 $load 2>/dev/null; do
	must fsfreeze -f /mnt
	must fsfreeze -u /mnt
	sleep 0.2
done
wait $load || fail "the load under freezing ended with status $?"

say "unmounted lazily under load ($(uptime_s) s)"
$T queued /mnt/file $OPERATIONS 7 &
load=$!
sleep 1
must umount -l /mnt
wait $load || fail "the load on what was unmounted ended with status $?"
# Its end closes the pool.
for try in $(seq 1 100); do
	[ -e /sys/fs/lcpfs ] && [ -n "$(ls /sys/fs/lcpfs)" ] || break
	sleep 0.1
done
must check_pool
must mount_pool /mnt
must umount /mnt
