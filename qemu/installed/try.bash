#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# try.bash: does what README.md says under "Installing it", on a Debian 12 that has nothing but what debootstrap gives it and two
# kernels: first the README's first block of commands, by which DKMS builds the module; then a kernel that comes later;
# then the second block, in QEMU, on a machine with two more disks. After that the machine is booted again, by each kernel and
# with a disk missing: the pool has to come back by /etc/fstab, with what was on it. in-guest.bash looks.
#
# Some ten minutes. The system and its disks stay in build/installed. Needs debootstrap and Debian's archive.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$top/build/installed
root=$work/root
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

step() { printf '\n==== %s\n' "$*"; }
die() { echo "installed: $*" >&2; echo "lcpfs-result: installed 0 passed, 1 failed"; exit 1; }
inside() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive TERM=dumb "$@"; }

# The code block number $1 of the README's section, as a script that stops at the first error and shows what it runs.
block() {
	awk -v wanted="$1" '
		/^## / { inside = $0 == "## Installing it"; next }
		inside && /^    / { if (!code) { code = 1; ++number } if (number == wanted) print substr($0, 5); next }
		{ code = 0 }' "$top/README.md"
}

release_mounts() {
	for directory in dev proc sys; do
		! mountpoint -q "$root/$directory" || umount -l "$root/$directory"
	done
}

# The newest package a meta package stands for.
kernel_of() { inside apt-cache depends --important "$1" | sed -n 's/^ *Depends: linux-image-\([0-9][^ ]*\)$/\1/p' | head -n 1; }

make_root() {
	step "a fresh Debian 12"
	release_mounts
	rm -rf "$work"
	mkdir -p "$work"
	debootstrap --variant=minbase --include=systemd-sysv,udev,kmod,ca-certificates,initramfs-tools,iproute2,dbus bookworm "$root" "$mirror" \
		>"$work/debootstrap.log" 2>&1 || die "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"
	# Security updates and the like come from where this machine has them.
	rm -f "$root/etc/apt/sources.list"
	cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	mount -t proc proc "$root/proc"
	mount -t devtmpfs dev "$root/dev"
	mount -t sysfs sys "$root/sys"
	inside apt-get -q update >"$work/apt.log" 2>&1 || die "apt-get update failed: see $work/apt.log"
	old=$(kernel_of linux-image-amd64)
	new=$(kernel_of linux-image-6.12-amd64)
	{ [ -n "$old" ] && [ -n "$new" ]; } || die "apt knows no two kernels"
	inside apt-get install -q -y --no-install-recommends "linux-image-$old" >>"$work/apt.log" 2>&1 || die "no kernel: see $work/apt.log"
	git -C "$top" archive --prefix=lcpfs/ HEAD | tar -C "$root/root" -xf -
}

install_lcpfs() {
	step "the README's first block"
	{ echo 'set -ex'; block 1 | sed 's/apt-get install/apt-get install -q -y/'; } >"$root/root/first.sh"
	grep -q 'make dkms' "$root/root/first.sh" || die "the README has no such block"
	inside /bin/bash -c 'cd /root/lcpfs && /bin/bash /root/first.sh' >"$work/first.log" 2>&1 || die "it failed: see $work/first.log"
	grep -E '^(\+|lcpfs|dkms)' "$work/first.log"
	step "a kernel that comes later: $new"
	inside apt-get install -q -y --no-install-recommends "linux-image-$new" "linux-headers-$new" >>"$work/apt.log" 2>&1 ||
		die "no second kernel: see $work/apt.log"
	inside dkms status
	for kernel in $old $new; do
		inside modinfo -k "$kernel" -F vermagic lcpfs | grep -q "^$kernel " || die "DKMS has not built the module for $kernel"
	done
}

make_image() {
	step "the machine's disk"
	install -m 755 "$top/qemu/installed/in-guest.bash" "$root/root/in-guest.bash"
	{ echo 'set -ex'; block 2; } >"$root/root/second.sh"
	grep -q 'mkfs.lcpfs' "$root/root/second.sh" || die "the README has no second block"
	echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
	cat >"$root/etc/systemd/system/look.service" <<-'UNIT'
		[Unit]
		Description=what is there after boot
		After=multi-user.target
		[Service]
		Type=oneshot
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/ttyS0
		ExecStart=/root/in-guest.bash
		ExecStopPost=/usr/bin/systemctl --no-block poweroff
		TimeoutStartSec=600
	UNIT
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sf ../look.service "$root/etc/systemd/system/multi-user.target.wants/look.service"
	ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
	release_mounts
	for kernel in $old $new; do
		cp "$root/boot/vmlinuz-$kernel" "$root/boot/initrd.img-$kernel" "$work/"
	done
	rm -rf "$root"/var/cache/apt/archives/*.deb
	truncate -s 6G "$work/system.img"
	mkfs.ext4 -q -F -d "$root" "$work/system.img"
	truncate -s 1G "$work/disk1.img" "$work/disk2.img"
}

# boot WHAT KERNEL DISK...
boot() {
	what=$1
	kernel=$2
	shift 2
	step "boot: $what, kernel $kernel"
	drives="-drive if=virtio,format=raw,cache=unsafe,file=$work/system.img"
	for disk in "$@"; do drives="$drives -drive if=virtio,format=raw,cache=unsafe,file=$work/$disk.img"; done
	# shellcheck disable=SC2086
	timeout 900 qemu-system-x86_64 -accel tcg,tb-size=1024 -cpu Nehalem -m 1024 -nodefaults -display none -no-reboot -serial stdio \
		-kernel "$work/vmlinuz-$kernel" -initrd "$work/initrd.img-$kernel" -device virtio-rng-pci \
		-append "root=/dev/vda rw console=ttyS0 quiet mitigations=off nowatchdog panic=-1 lcpfs_look=$what" $drives \
		</dev/null 2>&1 | tr -d '\r' | tee "$work/$what-$kernel.log" | sed -n '/^look: /p;/^ *|/p;/^+/p;/^lcpfs/p'
	grep -q '^look: all well' "$work/$what-$kernel.log" || die "see $work/$what-$kernel.log"
}

trap release_mounts EXIT
command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap >/dev/null || die "there is no debootstrap"
make_root
install_lcpfs
make_image
boot made "$old" disk1 disk2
boot again "$old" disk1 disk2
boot again "$new" disk2 disk1
boot missing "$new" disk1
boot again "$new" disk1 disk2
echo "lcpfs-result: installed 5 passed, 0 failed"
