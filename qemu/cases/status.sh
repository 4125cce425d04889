# lcpfs status of a pool that is well, whose disks have lost a path, with damage, full, and that lacks a disk: what it says and its exit
# code, for people and as JSON.
# disks: 2x96M
# bus: scsi
# paths: 2
# programs: mount umount build/test/guestkit
# files: qemu/guest/paths.sh
# timeout: 200
# kernels: 6.12
. /files/paths.sh
set -- $(scsi_hosts virtio_scsi)
A=/dev/$(await_scsi_disk $1 0) A2=/dev/$(await_scsi_disk $2 0) B=/dev/$(await_scsi_disk $1 1) B2=/dev/$(await_scsi_disk $2 1)

# status CODE HEALTH: what it says is shown.
status() {
	lcpfs status >/tmp/status 2>&1
	same $? $1 "exit code of lcpfs status ($(cat /tmp/status))"
	cat /tmp/status
	same "$(sed -n 's/^  health *//p' /tmp/status)" $2
	sound_json status
	same $? $1 "exit code of lcpfs status --json"
	grep -q "\"health\": \"$2\"" /tmp/json || fail "$(cat /tmp/json)"
}

lcpfs status >/tmp/status || fail "no pool: exit code $?"
[ ! -s /tmp/status ] || fail "no pool: $(cat /tmp/status)"
must mkfs.lcpfs -q -f -L tank $A $B
say "not in use"
status 0 healthy
must mount -t lcpfs tank /mnt
say "well"
status 0 healthy
grep -q "errors     none in" /tmp/status || fail "$(cat /tmp/status)"
say "a path is failed"
must lcpfs path fail ${A2#/dev/}
status 1 degraded
grep -q "${A2#/dev/}: failed" /tmp/status || fail "$(cat /tmp/status)"
must lcpfs path reinstate ${A2#/dev/}
for i in $(seq 20); do lcpfs status >/dev/null && break; sleep 1; done
status 0 healthy
say "full"
dd if=/dev/zero of=/mnt/big bs=1M 2>/dev/null
must_fail dd if=/dev/zero of=/mnt/more bs=1M count=1 2>/dev/null
sync
status 0 full
must rm /mnt/big
rm -f /mnt/more
sync
sync
must mkdir /mnt/dir
must umount /mnt
say "damaged"
must guestkit nodes $A $B >/tmp/nodes
place=$(awk '$1 == "objects" && $3 == 0 { print $4; exit }' /tmp/nodes)
device=$A
[ ${place%:*} = 0 ] || device=$B
must guestkit flip $device ${place#*:} 1234 3
must mount -t lcpfs tank /mnt
find /mnt >/dev/null
status 1 damaged
grep -q "checksums did not fit" /tmp/status || fail "$(cat /tmp/status)"
must umount /mnt
say "a disk is missing"
for disk in $B $B2; do echo 1 >/sys/block/${disk#/dev/}/device/delete; done
status 1 incomplete
grep -q "1 of 2 devices are missing" /tmp/status || fail "$(cat /tmp/status)"
