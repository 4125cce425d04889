# Partitions of one pool under load: a syncing writer, an archive that grows, one that is idle. Nonsense is refused with a message and
# changes nothing; a minimum is there at once; a write that finds its partition full grows it; one that runs away stops at its
# maximum with ENOSPC while the others go on; statfs shows each its partition; advise moves nothing; the log explains. The machine is
# killed while space goes from one to another, in all boots but the last; each time what was synced is there, and the check finds
# every metaslab owned once. --boots 11 for ten kills.
# disks: 2x256M
# boots: 4
# kernels: 6.12
# programs: mount
# timeout: 400
# on DIRECTORY OPTIONS
on() { mkdir -p "$1" && mount -i -t lcpfs -o "device=/dev/vdb,$2" /dev/vda "$1"; }
partition() { lcpfs partition "$@" 2>&1; }
# column NAME NUMBER: of the list.
column() { lcpfs partition list -H -p | awk -F'\t' -v n="$1" -v c="$2" '$2 == n { print $c }'; }
list() { lcpfs partition list -H -p | cut -f2-4,6-8; }
# refused TEXT WORDS...: the command says that, and nothing has changed.
refused() {
	text=$1
	shift
	before=$(list)
	partition "$@" >/tmp/said && fail "lcpfs partition $* was not refused"
	grep -q "$text" /tmp/said || fail "lcpfs partition $*: $(cat /tmp/said)"
	same "$(list)" "$before" "partitions after lcpfs partition $*"
}
# fill FILE MIB
fill() { dd if=/dev/urandom of="$1" bs=1M count=$2 2>/tmp/dd; }
mib() { echo $(($1 << 20)); }
size_mib() { df -Pm "$1" | awk 'NR == 2 { print $2 }'; }
free_mib() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }
mount_all() { for name in db archive home; do must on /at/$name dataset=$name,txg_interval=2; done; }
umount_all() { for name in db archive home; do must umount /at/$name; done; }

# Space goes back and forth until the machine dies: the archive fills what there is, then the others get theirs of it.
work() {
	round=0
	while :; do
		round=$((round + 1))
		fill /at/archive/new 150 && mv /at/archive/new /at/archive/big
		echo "$STAGE $round" >/at/db/round.new && sync /at/db/round.new && mv /at/db/round.new /at/db/round && sync /at/db/round
		say "round $round"
		fill /at/db/table 40
		rm -f /at/archive/big
		fill /at/home/more 24
		sync
		rm -f /at/db/table /at/home/more
		sync
	done
}

if [ "$STAGE" = 1 ]; then
	must make_pool
	must on /mnt txg_interval=2
	say "nonsense"
	refused 'above the maximum' create x min=64M max=32M
	refused 'more than the pool has' create x min=10G
	refused 'more than the pool has' create x max=10G
	refused 'no spaces' create 'a b'
	refused 'there is one of this name' create default
	refused 'cannot be removed' destroy default
	refused 'none of this name' destroy nobody
	refused 'none of this name' set nobody min=1M
	refused 'are wanted' create x size=3
	must partition create db min=32M max=96M
	must partition create archive max=256M
	must partition create home min=16M max=48M
	refused 'are more than the pool has' create x min=440M
	refused 'keeps its name' set default name=other
	must partition set archive name=old
	must partition set old name=archive
	same "$(column db 4)" "$(mib 32)" "size of db, from its minimum"
	same "$(column home 4)" "$(mib 16)" "size of home, from its minimum"
	same "$(column archive 4)" 0 "size of archive"
	lcpfs dataset create --partition none x 2>/tmp/said && fail "a dataset in no partition"
	grep -q 'no partition "none"' /tmp/said || fail "$(cat /tmp/said)"
	for name in db archive home; do must lcpfs dataset create --partition $name $name; done
	mount_all
	refused '1 dataset lives in it' destroy db

	say "statfs"
	same "$(size_mib /at/db)" 96 "size of db in statfs"
	same "$(size_mib /at/home)" 48 "size of home in statfs"
	[ "$(size_mib /mnt)" -gt 300 ] || fail "size of the default partition: $(df -Pm /mnt)"

	say "growth in a write"
	must fill /at/archive/first 30
	must sync
	[ "$(column archive 4)" -ge "$(mib 30)" ] || fail "archive did not grow: $(lcpfs partition list)"
	lcpfs partition log | grep -q 'archive: grow .* a write found it full' || fail "the log: $(lcpfs partition log)"

	say "one runs away"
	(while [ ! -e /tmp/stop ]; do
		dd if=/dev/zero of=/at/db/journal bs=4k count=64 conv=fsync 2>/dev/null || echo failed >>/tmp/db-failed
		echo >>/tmp/db-done
	done) &
	writer=$!
	i=0
	while [ $i -lt 3 ]; do
		fill /at/home/run$i 60 && fail "home went beyond its maximum"
		grep -q 'No space left' /tmp/dd || fail "$(cat /tmp/dd)"
		i=$((i + 1))
	done
	must fill /at/archive/second 20
	touch /tmp/stop
	wait $writer
	[ ! -e /tmp/db-failed ] || fail "the database's writes failed while home was full"
	say "the database wrote $(wc -l </tmp/db-done) times meanwhile"
	[ "$(column home 5)" -le "$(mib 48)" ] || fail "home uses $(column home 5)"
	[ "$(free_mib /at/home)" -le 1 ] || fail "free in home: $(df -Pm /at/home)"
	[ "$(free_mib /at/archive)" -gt 100 ] || fail "free in archive: $(df -Pm /at/archive)"
	lcpfs partition log | grep -q 'home: grow .* it is at its maximum' || fail "the log: $(lcpfs partition log)"
	refused 'less than what is used' set home max=20M
	must rm /at/home/run0 /at/home/run1 /at/home/run2
	must fill /at/home/again 20
	must rm /at/home/again
	must sync

	say "advise"
	must partition mode advise
	same "$(partition mode)" advise "mode"
	grep -q ' /at/db .*partition_mode=advise' /proc/mounts || fail "/proc/mounts: $(grep lcpfs /proc/mounts)"
	must mount -i -o remount,partition_mode=off /at/db
	same "$(partition mode)" off "mode by remount"
	must mount -i -o remount,partition_mode=advise /at/db
	before=$(lcpfs partition list -H -p | cut -f2,4)
	sleep 25
	same "$(lcpfs partition list -H -p | cut -f2,4)" "$before" "sizes while it only advises"
	measured=$(lcpfs partition list -H -p | awk -F'\t' '$2 == "db" { print ($9 > 0) }')
	[ "$measured" = 1 ] || fail "nothing was measured: $(lcpfs partition list)"
	sysfs=$(echo /sys/fs/lcpfs/*/partitions)
	same "$(cat $sysfs/mode) $(cat $sysfs/count)" "advise 4" "mode and count in sysfs"
	[ "$(cat $sysfs/last_decision)" -ge 3 ] || fail "decisions in sysfs: $(cat $sysfs/last_decision)"
	must partition mode auto
	lcpfs partition list --json | grep -q '"confidence\|pressure_confidence"' || fail "the list in JSON"

	say "minimums"
	fill /mnt/all 600 && fail "more than there is fits"
	must fill /at/db/mine 30
	must rm /mnt/all /at/db/mine
	sync
	umount_all
	must umount /mnt
	must check_pool
	mount_all
fi

if [ "$STAGE" -gt 1 ]; then
	mount_all
	dmesg | grep 'intent log'
	[ -s /at/db/round ] || [ "$STAGE" = 2 ] || fail "what was synced is not there"
	say "last round: $(cat /at/db/round 2>/dev/null)"
	lcpfs partition list
	umount_all
	must check_pool
	mount_all
fi

if [ "$STAGE" -lt "$STAGES" ]; then
	kill_machine $((6 + STAGE % 3 * 3))
	work
fi

say "the last"
rm -rf /at/*/*
sync
umount_all
must check_pool
mount_all
for name in db archive home; do
	must umount /at/$name
	must on /mnt rw
	must lcpfs dataset destroy $name
	for i in $(seq 30); do
		lcpfs dataset list -H | awk -F'\t' '$4 == "destroying" { found = 1 } END { exit found }' && break
		sleep 1
	done
	must partition destroy $name
	must umount /mnt
done
must on /mnt rw
same "$(lcpfs partition list -H | wc -l)" 1 "partitions left"
must fill /mnt/big 300
must umount /mnt
must check_pool
