# SPDX-License-Identifier: GPL-2.0-only
#
# Words of the cases that measure paths: one disk in memory on two SCSI hosts, the same for lcpfs by two paths and for other ways
# to use them. Each `mount_...` makes a filesystem anew and mounts it at /mnt.

# two_hosts NANOSECONDS QUEUE: each command, of at most KB KiB, takes so long, and so many of a host are under way at once.
# Gives A and B.
two_hosts() {
	must modprobe scsi_debug add_host=2 dev_size_mb=${DISK_MB:-384} vpd_use_hostno=0 ndelay=$1 host_max_queue=$2
	set -- $(scsi_hosts scsi_debug)
	same $# 2 "hosts of scsi_debug"
	A=/dev/$(await_scsi_disk $1 0) B=/dev/$(await_scsi_disk $2 0)
	for path in $A $B; do echo ${KB:-128} >/sys/block/${path##*/}/queue/max_sectors_kb; done
	SIZE=$(/usr/local/bin/blockdev --getsz $A)
}

# mount_lcpfs PATH...
mount_lcpfs() {
	must mkfs.lcpfs -q -f $1
	remount="mount -i -t lcpfs $(for path in $*; do [ $path = $1 ] || echo "-o device=$path"; done) $1 /mnt"
	must $remount
}
mount_xfs() {
	must mkfs.xfs -q -f $1
	remount="mount -t xfs $1 /mnt"
	must $remount
}
# multipath SELECTOR PATH...: a device-mapper device of that name over them, /dev/mapper/SELECTOR. For paths that are device-mapper
# devices themselves it works on bios, as it has to.
multipath() {
	selector=$1
	shift
	features="0"
	case $1 in /dev/dm-*|/dev/mapper/*) features="2 queue_mode bio" ;; esac
	argument="1 1"
	count=2
	[ $selector = service-time ] || { argument="1"; count=1; }
	paths=
	for path in "$@"; do paths="$paths $(cat /sys/class/block/$(basename $(readlink -f $path))/dev) $argument"; done
	must dmsetup create --noudevsync $selector --table "0 $SIZE multipath $features 0 1 1 $selector 0 $# $count$paths"
	dmsetup mknodes
}
unmount() {
	must umount /mnt
	for made in service-time queue-length; do
		[ ! -e /dev/mapper/$made ] || must dmsetup remove --noudevsync $made
		rm -f /dev/mapper/$made
	done
}
# Milliseconds of the guest's clock.
now_ms() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }
