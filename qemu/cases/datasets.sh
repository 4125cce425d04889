# Datasets of one pool: made and refused, three mounted at once beside the first, each apart; the machine is killed with all of
# them at work; what was synced is there, in each; properties, renaming, read-only beside writable; one that is mounted is not
# destroyed, one that is full hurts nobody who removes, and what is destroyed gives its space back, over a kill in between.
# disks: 2x256M
# boots: 3
# kernels: 6.12 6.1 debug
# programs: mount
# timeout: 300
# on DIRECTORY OPTIONS
on() { mkdir -p "$1" && mount -i -t lcpfs -o "device=/dev/vdb,$2" /dev/vda "$1"; }
dataset() { lcpfs dataset "$@" 2>&1; }
# column NAME NUMBER: of the list.
column() { lcpfs dataset list -H -p | awk -F'\t' -v n="$1" -v c="$2" '$2 == n { print $c }'; }
# refused WORDS TEXT: the command says that.
refused() {
	dataset $1 >/tmp/said && fail "lcpfs dataset $1 was not refused"
	grep -q "$2" /tmp/said || fail "lcpfs dataset $1: $(cat /tmp/said)"
}
# fill DIRECTORY MIB
fill() { dd if=/dev/urandom of="$1" bs=1M count=$2 2>/dev/null; }
free_mib() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }
# gone: nothing is being destroyed any more.
gone() {
	for i in $(seq 60); do
		lcpfs dataset list -H | awk -F'\t' '$4 == "destroying" { found = 1 } END { exit found }' && return
		sleep 1
	done
	fail "destroying takes for ever: $(lcpfs dataset list)"
}

if [ "$STAGE" = 1 ]; then
	must make_pool
	refused "create home" 'no pool is mounted'
	must on /mnt txg_interval=30
	say "making"
	for name in home db archive; do must dataset create $name; done
	refused "create home" 'one of that name'
	refused "create a/b" 'letters, digits'
	refused "create .x" 'letters, digits'
	refused "create $(printf '%064d' 1)" 'longer than 63'
	refused "destroy default" 'cannot be destroyed'
	refused "rename default x" 'keeps its name'
	refused "destroy nobody" 'no such dataset'
	refused "set home sync=sometimes" 'no such property'
	must_fail on /mnt/none dataset=none 2>/dev/null
	same "$(lcpfs dataset list -H | wc -l)" 4 "datasets"

	say "mounting"
	for name in home db archive; do must on /at/$name dataset=$name; done
	must on /again/home dataset=home
	same "$(stat -c %d /at/home)" "$(stat -c %d /again/home)" "devices of one dataset mounted twice"
	[ "$(stat -c %d /at/home)" != "$(stat -c %d /at/db)" ] || fail "two datasets have one device number"
	[ "$(stat -c %d /at/home)" != "$(stat -c %d /mnt)" ] || fail "two datasets have one device number"
	grep -q ' /at/db .*dataset=db' /proc/mounts || fail "/proc/mounts: $(grep lcpfs /proc/mounts)"
	grep ' /mnt ' /proc/mounts | grep -q dataset= && fail "/proc/mounts names the first dataset"
	same "$(column home 5)" yes "home is mounted"
	refused "destroy home" 'it is mounted'
	dir=$(echo /sys/fs/lcpfs/*/datasets)
	same "$(ls $dir | tr '\n' ' ')" "archive db default home " "datasets in sysfs"

	say "working in each"
	for name in home db archive; do
		echo "of $name" >/at/$name/word
		fill /at/$name/data 3
	done
	echo "of the first" >/mnt/word
	same "$(cat /again/home/word)" "of home" "the other mount of home"
	mv /at/home/word /at/db/moved && same "$(cat /at/db/moved)" "of home" "moved across"
	ln /at/db/moved /at/home/hard 2>/dev/null && fail "a hard link goes across datasets"
	sync
	same "$(column archive 7)" $((3 << 20)) "data in archive"
	same "$(cat $dir/archive/used_bytes)" $((3 << 20)) "data in archive as sysfs has it"

	say "properties"
	must dataset set home sync=always logbias=throughput
	grep -q ' /at/home .*sync=always,logbias=throughput' /proc/mounts || fail "the mount does not follow: $(grep home /proc/mounts)"
	same "$(dataset get home sync)" "sync	always" "property"
	must mount -i -o remount,sync=standard /at/home
	must dataset set home sync=disabled
	grep -q ' /at/home .*sync=standard' /proc/mounts || fail "the mount's own option is lost: $(grep home /proc/mounts)"
	must dataset set home sync=standard logbias=latency
	must dataset rename archive old
	grep -q ' /at/archive .*dataset=old' /proc/mounts || fail "/proc/mounts has the old name"
	same "$(cat $dir/old/used_bytes)" $((3 << 20)) "renamed in sysfs"
	must dataset rename --pool /at/home old archive

	say "read-only beside writable"
	must mount -i -o remount,ro /at/db
	must_fail touch /at/db/x 2>/dev/null
	must touch /at/home/x /mnt/x
	same "$(cat /sys/fs/lcpfs/*/state)" active "the pool"
	for dir in /at/home /again/home /at/archive /mnt; do must umount $dir; done
	same "$(cat /sys/fs/lcpfs/*/state)" read-only "the pool without writers"
	must on /at/home dataset=home
	must touch /at/home/y
	must umount /at/db /at/home
	[ -z "$(ls /sys/fs/lcpfs)" ] || fail "the pool is still there after its last mount"

	say "killed at work"
	must on /mnt txg_interval=30
	for name in home db archive; do must on /at/$name dataset=$name; done
	must dataset create doomed
	must on /at/doomed dataset=doomed
	for name in home db archive doomed; do
		echo "synced in $name" >/at/$name/synced
		must sync /at/$name/synced
	done
	for i in $(seq 40); do fill /at/doomed/$i 1; done
	must umount /at/doomed
	must dataset destroy doomed
	kill_machine 4
	i=0
	while :; do
		i=$((i + 1))
		for name in home db archive; do
			echo "$name $i" >/at/$name/$i && sync /at/$name/$i
		done
	done
fi

if [ "$STAGE" = 2 ]; then
	must on /at/home dataset=home
	dmesg | grep 'lcpfs (' | tail -n 4
	must on /at/db dataset=db
	must on /at/archive dataset=archive
	for name in home db archive; do same "$(cat /at/$name/synced)" "synced in $name" "what was synced"; done
	same "$(cat /at/db/moved)" "of home" "what was moved"
	must_fail on /at/doomed dataset=doomed 2>/dev/null
	gone
	same "$(lcpfs dataset list -H | wc -l)" 4 "datasets after the kill"
	say "one fills the pool"
	before=$(free_mib /at/home)
	must dataset create full
	must on /at/full dataset=full
	fill /at/full/data 900 && fail "more than there is fits"
	sync
	must rm /at/home/data
	must cat /at/db/data >/dev/null
	must umount /at/full
	must dataset destroy full
	kill_machine 1
	for i in $(seq 100); do echo $i >/at/home/after-$i && sync; done
	await_death
fi

must fsck.lcpfs -n $DISKS
must on /at/home dataset=home
gone
must on /mnt rw
sync
say "after all: $(df -Pm /mnt | tail -n 1)"
[ "$(free_mib /mnt)" -gt 350 ] || fail "space did not come back: $(df -m /mnt)"
same "$(cat /at/home/synced)" "synced in home" "what was synced"
must dataset create doomed
must umount /at/home /mnt
must check_pool
