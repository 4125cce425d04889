# Discarding: what files leave is told to the devices by itself with -o discard, without it when fstrim asks; nothing that is in use
# suffers, over a kill between; the option is shown, changed by remount, and says nothing to devices that have no use for it.
# disks: 2x256M
# boots: 2
# kernels: 6.12 6.1
# programs: fstrim blkdiscard
# packages: util-linux
# timeout: 200
# told: KiB that the devices have been told of, as they count themselves.
told() { cat /sys/block/vda/stat /sys/block/vdb/stat | awk '{ n += $14 } END { print n / 2 }'; }
ours() { echo $(($(cat /sys/fs/lcpfs/*/counters/discarded_bytes) / 1024)); }
shown() { grep -q "^/dev/vda /mnt .*$1" /proc/mounts; }
fill() { dd if=/dev/urandom of="$1" bs=1M count=$2 2>/dev/null; }
settle() { for i in 1 2 3; do : >/mnt/passing; sync -f /mnt; rm /mnt/passing; sync -f /mnt; done; }

if [ "$STAGE" = 1 ]; then
	must make_pool
	[ "$(cat /sys/block/vda/queue/discard_max_bytes)" -gt 0 ] || skip "these disks cannot discard"
	must mount_pool /mnt txg_interval=1
	must_fail shown discard
	fill /mnt/kept 40
	sum=$(sha256sum /mnt/kept)
	fill /mnt/gone 60
	sync -f /mnt
	rm /mnt/gone
	settle
	same "$(told)" 0 "KiB told without being asked"
	say "asked for all of it"
	must fstrim -v /mnt
	all=$(told)
	[ "$all" -gt $((380 * 1024)) ] || fail "fstrim told of $all KiB"
	same "$(ours)" "$all" "KiB in sysfs"
	must fstrim -o 64M -l 16M -m 64k /mnt
	part=$(($(told) - all))
	[ "$part" -gt 0 ] && [ "$part" -le 16384 ] || fail "a part of 16 MiB was $part KiB"
	must_fail fstrim -o 4G /mnt 2>/dev/null
	say "by itself"
	must mount -i -o remount,discard /mnt
	shown ,discard || fail "discard is not shown: $(grep /mnt /proc/mounts)"
	before=$(told)
	fill /mnt/gone 60
	sync -f /mnt
	rm /mnt/gone
	settle
	more=$(($(told) - before))
	[ "$more" -ge $((55 * 1024)) ] || fail "60 MiB were removed, $more KiB told"
	echo 3 >/proc/sys/vm/drop_caches
	same "$(sha256sum /mnt/kept)" "$sum" "what was kept"
	must mount -i -o remount,nodiscard /mnt
	must_fail shown discard
	must umount /mnt
	must check_pool
	must mount_pool /mnt txg_interval=1,discard
	echo "$sum" >/mnt/sum
	sync -f /mnt
	say "killed among discards (told of $more KiB)"
	kill_machine 6
	while :; do
		fill /mnt/a 20; sync -f /mnt; rm /mnt/a; fill /mnt/b 20; sync -f /mnt; rm /mnt/b
	done
else
	must mount_pool /mnt discard
	same "$(sha256sum /mnt/kept)" "$(cat /mnt/sum)" "what was kept"
	must fstrim /mnt
	echo 3 >/proc/sys/vm/drop_caches
	same "$(sha256sum /mnt/kept)" "$(cat /mnt/sum)" "what was kept, after fstrim"
	must umount /mnt
	must check_pool
fi
