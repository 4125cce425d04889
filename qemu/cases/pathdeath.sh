# How long a caller of fsync waits when the path dies that it uses, by the clock that counts instructions: one disk on two SCSI
# hosts, lcpfs by two paths beside XFS and lcpfs on device-mapper's multipath. A path is taken offline, fails every
# request (dm-flakey), says that its bus is busy, hangs for five seconds. The longest call of each run, in microseconds; a
# run without a death beside them. No test of its own: what it says is a measure.
# disks: none
# clock: instructions
# memory: 3072
# modules: scsi_debug dm-mod dm-flakey dm-multipath dm-service-time dm-queue-length xfs
# programs: dmsetup mkfs.xfs
# packages: xfsprogs
# files: build/test/torture qemu/guest/paths.sh qemu/guest/pathbench.sh
# kernels: none
# timeout: 900
# environment: NS=100000 QUEUE=32 KB=1280 RUNS=1 ONLY_HANG=0
. /files/paths.sh
. /files/pathbench.sh
for module in dm-mod dm-flakey dm-multipath dm-service-time dm-queue-length xfs; do modprobe $module 2>/dev/null; done
two_hosts $NS $QUEUE
NUMBERS="8:0 8:16"

# longest SECONDS: of the calls of one caller.
longest() { /files/torture sync-load /mnt/w overwrite 1 $1 >/tmp/calls || fail "the load saw an error"; sed 's/.*longest //' /tmp/calls; }
# revived: all paths are well; wait until whoever uses them knows.
revived() {
	for selector in service-time queue-length; do
		[ -e /dev/mapper/$selector ] || continue
		for number in $NUMBERS; do must dmsetup message $selector 0 "reinstate_path $number"; done
	done
	grep -q " /mnt lcpfs" /proc/mounts || return 0
	for path in $PATHS; do [ -z "$(state $path)" ] || await $path active 120; done
}
# row NAME: what is mounted, through all deaths of $DEATHS.
row() {
	must mkdir /mnt/w
	line=$(printf '@ %-34s %12s' "$1" $(longest 3))
	for death in $DEATHS; do
		worst=
		for run in $(seq 1 $RUNS); do
			for victim in 1 2; do
				worst="$worst $(die_$death $victim)"
				revived >/dev/null
			done
		done
		line="$line $(printf '%12s' $(echo $worst | tr ' ' '\n' | sort -n | tail -n 1))"
	done
	echo "$line"
	unmount
}
victim_of() { echo $PATHS | cut -d ' ' -f $1; }
die_none() { longest 3; }
die_offline() {
	( sleep 1.5; scsi_state $(victim_of $1) offline ) &
	longest 3
	scsi_state $(victim_of $1) running
}
# Writes and flushes of the path end as "the bus is busy", for ever.
die_busy() {
	errors=$(echo /sys/kernel/debug/scsi_debug/$(basename $(readlink -f /sys/block/$(basename $(victim_of $1))/device))/error)
	( sleep 1.5; for command in 0x2a 0x8a 0x35 0x28; do echo "2 1 $command 0x02 0 0 0 0 0" >$errors; done ) &
	longest 3
	for command in 0x2a 0x8a 0x35 0x28; do echo "- 2 $command" >$errors; done
}
name_of() { [ $1 = 1 ] && echo one || echo two; }
under() { [ $1 = 1 ] && echo $A || echo $B; }
die_error() {
	table $(name_of $1) "0 $SIZE flakey $(under $1) 0 3 1000"
	longest 5
	table $(name_of $1) "0 $SIZE linear $(under $1) 0"
}
die_hang() {
	( sleep 1.5; dmsetup suspend --noflush --nolockfs --noudevsync $(name_of $1); sleep 5; dmsetup resume --noudevsync $(name_of $1) ) &
	longest 9
	wait
}
rows() {
	mount_lcpfs $PATHS
	row "lcpfs, two paths"
	for selector in service-time queue-length; do
		multipath $selector $PATHS
		mount_xfs /dev/mapper/$selector
		row "xfs on dm-multipath, $selector"
	done
	multipath service-time $PATHS
	mount_lcpfs /dev/mapper/service-time
	row "lcpfs on dm-multipath, service-time"
}

if [ $ONLY_HANG = 0 ]; then
PATHS="$A $B"
DEATHS=offline
[ ! -e /sys/kernel/debug/scsi_debug ] || DEATHS="offline busy"
printf '@ %-34s %12s' "SCSI disks" none
printf ' %12s' $DEATHS
echo
rows
fi
must dmsetup create --noudevsync one --table "0 $SIZE linear $A 0"
must dmsetup create --noudevsync two --table "0 $SIZE linear $B 0"
dmsetup mknodes
PATHS="/dev/dm-0 /dev/dm-1"
NUMBERS="$(cat /sys/block/dm-0/dev) $(cat /sys/block/dm-1/dev)"
printf '@ %-34s %12s %12s\n' "device-mapper devices" none error
DEATHS=error
[ $ONLY_HANG != 0 ] || rows
DEATHS=hang RUNS=1
mount_lcpfs $PATHS
must lcpfs path set /dev/dm-0 time-limit=1
printf '@ %-34s %12s %12s\n' "five seconds, time limit 1 s" none hang
row "lcpfs, two paths"
multipath service-time $PATHS
mount_xfs /dev/mapper/service-time
row "xfs on dm-multipath, service-time"
must dmsetup remove --noudevsync one
must dmsetup remove --noudevsync two
