# SPDX-License-Identifier: GPL-2.0-only
#
# Words of the cases about paths. A case asks for this file by `files:` and reads it with `. /files/paths.sh`.

# state DEVICE: active, degraded, failed, repairing; nothing when it is no path.
state() { lcpfs path list -H | awk -F'\t' -v name=${1##*/} '$4 == name { print $5 }'; }
# await DEVICE STATE SECONDS
await() {
	for try in $(seq 1 $(($3 * 2))); do
		[ "$(state $1)" != "$2" ] || return 0
		sleep 0.5
	done
	lcpfs path list
	fail "$1 is $(state $1), not $2, after $3 s"
}
# begin_load DIRECTORY WITNESS: threads that change and sync, and write down on another disk what they were told is durable.
begin_load() {
	must mkdir -p $1
	/files/torture acknowledged $1 $2 ${THREADS:-4} $RANDOM >/tmp/load 2>&1 &
	load=$!
	sleep 2
	load_lives
}
load_lives() { kill -0 $load 2>/dev/null || { cat /tmp/load; fail "the load ended"; }; }
# It never ends by itself but by an error.
end_load() {
	load_lives
	kill -9 $load
	wait $load 2>/dev/null
}
# check_load DIRECTORY WITNESS: what it was told is there.
check_load() { must /files/torture acknowledged $1 $2 ${THREADS:-4} check; }

# ---- device-mapper devices as paths

# table NAME TABLE: another one from now on; what is under way ends by the old one.
table() {
	must dmsetup suspend --noflush --nolockfs --noudevsync $1
	must dmsetup reload $1 --table "$2"
	must dmsetup resume --noudevsync $1
}

# ---- SCSI disks as paths: one disk on several hosts

# scsi_hosts DRIVER: their numbers.
scsi_hosts() {
	for host in /sys/class/scsi_host/host*; do
		[ "$(cat $host/proc_name)" != $1 ] || echo ${host##*/host}
	done
}
# scsi_disk HOST TARGET: its name as it is now, or nothing.
scsi_disk() { ls /sys/bus/scsi/devices/$1:0:$2:0/block 2>/dev/null; }
# await_scsi_disk HOST TARGET: the same, when it is there.
await_scsi_disk() {
	for try in $(seq 1 100); do
		[ -z "$(scsi_disk $1 $2)" ] || [ ! -b /dev/$(scsi_disk $1 $2) ] || { scsi_disk $1 $2; return; }
		sleep 0.2
	done
	fail "no disk $2 on host $1"
}
# scsi_state DEVICE running|offline
scsi_state() { echo $2 >/sys/block/${1##*/}/device/state || fail "$1 does not become $2"; }
