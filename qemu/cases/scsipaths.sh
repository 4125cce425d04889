# One disk by two, then by four virtio-scsi controllers, under a load that writes down on another disk what it was told is durable:
# a path is taken offline, deleted and found again by a scan, goes on and off at random; two of four die at once, one
# flaps; all are gone for ten seconds. The load sees no error, what it was told is there, the check is clean. Then all paths
# stay gone for longer than the time, and what had been acknowledged is there.
# disks: 1x256M 1x16M
# bus: scsi
# paths: 4
# files: build/test/torture qemu/guest/paths.sh
# kernels: 6.12
# timeout: 500
# memory: 1536
# environment: ROUNDS=1 THREADS=4
. /files/paths.sh
HOSTS=$(scsi_hosts virtio_scsi)
set -- $HOSTS
same $# 4 "virtio-scsi hosts"
A=/dev/$(await_scsi_disk $1 0) B=/dev/$(await_scsi_disk $2 0) C=/dev/$(await_scsi_disk $3 0) D=/dev/$(await_scsi_disk $4 0)
WITNESS=/dev/$(await_scsi_disk $1 1)
SECOND=$2
echo "paths $A $B $C $D, witness $WITNESS"

# all_gone SECONDS DEVICE...
all_gone() {
	seconds=$1
	shift
	for path in "$@"; do scsi_state $path offline; done
	sleep $seconds
	for path in "$@"; do scsi_state $path running; done
}
# on_and_off DEVICE TIMES: for a moment each.
on_and_off() {
	for time in $(seq 1 $2); do
		scsi_state $1 offline
		usleep $((RANDOM % 300000))
		scsi_state $1 running
		usleep $((RANDOM % 600000))
	done
}

two_paths() {
	say "a path goes offline ($(uptime_s) s)"
	scsi_state $B offline
	await $B failed 20
	sleep 2
	load_lives
	scsi_state $B running
	await $B active 60
	load_lives

	say "a path is deleted ($(uptime_s) s)"
	echo 1 >/sys/block/${B##*/}/device/delete
	await $B failed 20
	load_lives
	must_fail lcpfs path remove $A
	must lcpfs path remove $B
	same "$(state $B)" "" "the path removed"
	sleep 1
	say "it is found again ($(uptime_s) s)"
	echo "0 0 0" >/sys/class/scsi_host/host$SECOND/scan
	B=/dev/$(await_scsi_disk $SECOND 0)
	must lcpfs path add $B
	same "$(state $B)" active "the path found again"
	load_lives

	say "a path fails at random ($(uptime_s) s)"
	on_and_off $A 10
	await $A active 90
	load_lives
	say "all are gone for ten seconds ($(uptime_s) s)"
	all_gone 10 $A $B
	await $A active 60
	await $B active 60
	sleep 1
	load_lives
}

four_paths() {
	say "two of four die at once ($(uptime_s) s)"
	scsi_state $A offline
	scsi_state $C offline
	await $A failed 20
	await $C failed 20
	sleep 2
	load_lives
	scsi_state $A running
	scsi_state $C running
	await $A active 60
	await $C active 60
	say "one of four flaps, another is deleted ($(uptime_s) s)"
	on_and_off $D 6
	echo 1 >/sys/block/${B##*/}/device/delete
	await $B failed 30
	load_lives
	must lcpfs path remove $B
	on_and_off $D 3
	echo "0 0 0" >/sys/class/scsi_host/host$SECOND/scan
	B=/dev/$(await_scsi_disk $SECOND 0)
	must lcpfs path add $B
	await $D active 120
	load_lives
	say "all four are gone for ten seconds ($(uptime_s) s)"
	all_gone 10 $A $B $C $D
	for path in $A $B $C $D; do await $path active 90; done
	sleep 1
	load_lives
}

must mkfs.lcpfs -q -f $A
mkdir -p /mnt
for round in $(seq 1 $ROUNDS); do
	say "two paths ($(uptime_s) s)"
	must mount -i -t lcpfs -o device=$B $A /mnt
	same "$(state $A) $(state $B)" "active active" "states"
	begin_load /mnt/two $WITNESS
	two_paths
	end_load
	lcpfs path list
	check_load /mnt/two $WITNESS
	must umount /mnt
	must fsck.lcpfs -n $B
	must mount -i -t lcpfs -o device=$B,device=$C,device=$D $A /mnt
	check_load /mnt/two $WITNESS
	must rm -r /mnt/two
	say "four paths ($(uptime_s) s)"
	begin_load /mnt/four $WITNESS
	four_paths
	end_load
	lcpfs path list
	check_load /mnt/four $WITNESS
	must umount /mnt
	must fsck.lcpfs -n $C
	must mount -i -t lcpfs -o device=$B,device=$C,device=$D,no_path_timeout=3 $A /mnt
	check_load /mnt/four $WITNESS
	must rm -r /mnt/four
	must umount /mnt
done

say "all are gone for longer than the time ($(uptime_s) s)"
must mount -i -t lcpfs -o device=$B,device=$C,device=$D,no_path_timeout=3 $A /mnt
begin_load /mnt/lost $WITNESS
for path in $A $B $C $D; do scsi_state $path offline; done
for try in $(seq 1 60); do
	kill -0 $load 2>/dev/null || break
	sleep 0.5
done
! kill -0 $load 2>/dev/null || fail "the load goes on without a path"
wait $load && fail "the load saw no error"
cat /tmp/load
for path in $A $B $C $D; do scsi_state $path running; done
umount /mnt
must fsck.lcpfs -n $D
must mount -i -t lcpfs -o device=$B,device=$C,device=$D $A /mnt
check_load /mnt/lost $WITNESS
must umount /mnt
