#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# deps.sh: installs what building and testing need and this machine lacks; asks apt for nothing
# when nothing is missing. Kernels are not installed: kernels/get.sh unpacks them into the cache.
set -eu
packages="make gcc g++ bc bison flex cpio xz-utils zstd kmod python3 python3-jsonschema sparse bash
	clang-14 clang-tidy-14 libclang-rt-14-dev shellcheck mandoc
	libelf-dev libssl-dev pahole libfmt-dev libblkid-dev uuid-dev liblz4-dev libzstd-dev
	qemu-system-x86 busybox-static dmsetup e2fsprogs xfsprogs btrfs-progs util-linux valgrind"
missing=
for package in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
		missing="$missing $package"
done
if [ -n "$missing" ]; then
	echo "deps: installing$missing"
	[ "$(id -u)" = 0 ] || { echo "deps: this needs root (or install these yourself)" >&2; exit 1; }
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086
	apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 || {
		apt-get update -q >/dev/null
		apt-get install -y -q --no-install-recommends $missing >/dev/null
	}
fi
# Something to build the module against, where the running kernel has no headers.
if [ ! -e "/lib/modules/$(uname -r)/build" ] && ! ls -d /lib/modules/*/build >/dev/null 2>&1; then
	"$(dirname "$0")/kernels/get.sh" 6.12 >/dev/null
fi
