# A partition is shrunk whose data lies in pieces: its nearly empty metaslabs are emptied in the background and given back; the
# files are what they were, clones included, and the check is clean. With discard the devices are told of what is given back, as
# they count themselves, without it of nothing. On slow devices `lcpfs partition list` shows how far it is: it begins, goes down, and is
# gone.
# disks: 2x256M
# modules: dm-mod dm-delay
# programs: dmsetup
# kernels: 6.12 6.1
# timeout: 300
sectors=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
modprobe dm-delay || fail "no dm-delay"
for disk in vda vdb; do must dmsetup create --noudevsync $disk --table "0 $sectors linear /dev/$disk 0"; done
dmsetup mknodes
DISKS="/dev/mapper/vda /dev/mapper/vdb"
# takes MS: so long a device takes for each request from now on.
takes() {
	for disk in vda vdb; do
		must dmsetup suspend --noflush --noudevsync $disk
		if [ "$1" = 0 ]; then
			must dmsetup reload $disk --table "0 $sectors linear /dev/$disk 0"
		else
			must dmsetup reload $disk --table "0 $sectors delay /dev/$disk 0 $1"
		fi
		must dmsetup resume --noudevsync $disk
	done
}
must make_pool
on() { mkdir -p "$1" && mount -i -t lcpfs -o "device=/dev/mapper/vdb,discard,txg_interval=1,$2" /dev/mapper/vda "$1"; }
size() { lcpfs partition list -H -p | awk -F'\t' '$2 == "a" { print $4 }'; }
# told: bytes that the devices have been told of.
told() { cat /sys/block/vda/stat /sys/block/vdb/stat | awk '{ n += $14 } END { print n * 512 }'; }
# scatter NAME: 120 files, of which 20 stay.
scatter() {
	i=0
	while [ $i -lt 120 ]; do
		dd if=/dev/urandom of="/data/$1$i" bs=128k count=4 2>/dev/null || fail "writing $1$i"
		i=$((i + 1))
	done
	must sync
	[ "$1" = again ] || must cp --reflink=always "/data/${1}0" /data/clone
	i=0
	while [ $i -lt 120 ]; do
		[ $((i % 6)) = 0 ] || must rm "/data/$1$i"
		i=$((i + 1))
	done
	must sync
	sleep 3
}
# watch FILE: while it goes on, metaslabs, bytes at first and bytes left, a line each time they differ.
watch() {
	shown=
	for try in $(seq 600); do
		now=$(lcpfs partition list -H -p | awk -F'\t' '$2 == "a" { print $11, $12, $13 }')
		[ "$now" != "0 0 0" ] || [ -z "$shown" ] || return 0
		if [ "$now" != "0 0 0" ] && [ "$now" != "$shown" ]; then
			echo "$now" >>"$1"
			if [ -z "$shown" ]; then
				lcpfs partition list >/tmp/list
				must sound_json partition list
				cp /tmp/json /tmp/list.json
			fi
			shown=$now
		fi
		sleep 0.1
	done
	fail "it does not begin or does not end: $now"
}
# shrink MIB: sees it through.
shrink() {
	before=$(size)
	[ "$before" -gt $(($1 << 20)) ] || fail "the partition has only $before"
	lcpfs partition set a max=$1M >/tmp/said 2>&1 && fail "it lay not in pieces: $(lcpfs partition list)"
	grep -q 'have to be emptied first' /tmp/said || fail "$(cat /tmp/said)"
	[ -z "$2" ] || watch "$2"
	for try in $(seq 60); do
		lcpfs partition set a max=$1M >/tmp/said 2>&1 && break
		sleep 1
	done
	[ "$(size)" -le $(($1 << 20)) ] || fail "still $(size): $(cat /tmp/said)"
}
must on /mnt rw
must lcpfs partition create a
must lcpfs dataset create --partition a data
must on /data dataset=data
scatter file
(cd /data && sha256sum *) >/tmp/sums
freed=$(told)
shrink 24
dmesg | grep 'partition a:'
dmesg_has 'partition a: [1-9][0-9]* blocks were moved; [1-9]' || fail "nothing was moved"
for try in $(seq 20); do # when no committed group reaches it any more
	[ $(($(told) - freed)) -lt $((before - $(size) - (4 << 20))) ] || break
	must touch /data/file0
	sync
	sleep 0.5
done
say "from $before to $(size) bytes; the devices were told of $(($(told) - freed))"
[ $(($(told) - freed)) -ge $((before - $(size) - (4 << 20))) ] || fail "what was given back was not discarded"

say "without discard"
must mount -i -o remount,nodiscard /mnt
must lcpfs partition set a max=none
freed=$(told)
scatter again
takes 120
shrink 40 /tmp/progress
takes 0
cat /tmp/list /tmp/progress
grep -q 'shrinking: [1-9][0-9]* metaslabs are being emptied, .* of .* still to be moved ([0-9]* % done)' /tmp/list || fail "the list"
grep -q '"evacuation"' /tmp/list.json || fail "the list in JSON: $(cat /tmp/list.json)"
# No line is more than the one before, the last one is less than the first, and the total stays.
awk '$1 < 1 || $3 > $2 || (NR > 1 && ($2 != total || $3 > left)) { bad = 1 } { total = $2; left = $3 } NR == 1 { first = $3 }
	END { exit !(NR > 1 && !bad && left < first) }' /tmp/progress || fail "the progress"
lcpfs partition list | grep 'shrinking' && fail "it is over"
lcpfs partition list --json | grep '"evacuation"' && fail "it is over"
same "$(told)" "$freed" "bytes that the devices were told of"
say "from $before to $(size) bytes"

rm /data/again*
echo 3 >/proc/sys/vm/drop_caches
(cd /data && sha256sum -c /tmp/sums >/dev/null) || fail "a file differs"
must umount /data
must umount /mnt
must check_pool
