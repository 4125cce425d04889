#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# get.sh 6.1|6.12|debug: makes sure that kernel is in the cache and prints its directory.
#
# Every kernel directory looks the same, whoever built the kernel:
#   release       the output of uname -r in it
#   vmlinuz       what QEMU boots
#   root/         lib/modules/<release> with modules.dep, to take modules from
#   build/        what a module is built against (KDIR)
#
# The stock kernels are Debian's own packages, unpacked and not installed: the machine's boot
# loader is none of our business. The debug kernel is Debian's linux-source with debug.config
# over allnoconfig. Directories are named by the package version or by a hash of source version,
# configuration and this recipe, so that a change of any of them makes a new one.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${LCPFS_CACHE:-$HOME/.cache/lcpfs}
jobs=${JOBS:-$(nproc)}
# Debian calls the same package differently in its suites; the meta packages name the newest.
stock_612_meta=linux-image-6.12-amd64
stock_61_meta=linux-image-amd64
source_package=linux-source-6.12

say() { echo "kernels: $*" >&2; }
die() { say "$*"; exit 1; }

# The package a meta package stands for.
dependency() {
	apt-cache depends --important "$1" 2>/dev/null |
		sed -n "s/^ *Depends: \($2\)\$/\1/p" | head -n 1
}

refresh_lists() {
	[ -n "$(dependency $stock_61_meta 'linux-image-6[^ ]*')" ] && return
	say "reading the package lists"
	apt-get update -q >&2 || die "apt-get update failed; the package lists are needed"
}

# unpack PACKAGE DIRECTORY
unpack() {
	work=$(mktemp -d "$cache/download.XXXXXX")
	# apt drops to its own user where it can; it must be able to write there.
	chmod 755 "$work"
	say "fetching $1"
	(cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$1" >&2) ||
		die "apt-get download $1 failed"
	dpkg -x "$work"/*.deb "$2"
	rm -rf "$work"
}

stock() {
	refresh_lists
	image=$(dependency "$1" 'linux-image-[0-9][^ ]*')
	[ -n "$image" ] || die "apt knows no $1; is this Debian 12 with its main archive?"
	release=${image#linux-image-}
	dir=$cache/stock-$release
	if [ ! -e "$dir/ok" ]; then
		rm -rf "$dir"
		mkdir -p "$dir/root"
		unpack "$image" "$dir/root"
		headers=linux-headers-$release
		unpack "$headers" "$dir/root"
		for part in $(apt-cache depends --important "$headers" |
			sed -n 's/^ *Depends: \(linux-headers-.*-common\|linux-kbuild-[^ ]*\)$/\1/p'); do
			unpack "$part" "$dir/root"
		done
		build=$dir/root/usr/src/$headers
		# The headers' own Makefile names the common part by its installed path.
		sed -i "s|/usr/src/|$dir/root/usr/src/|" "$build/Makefile"
		ln -s "root/usr/src/$headers" "$dir/build"
		ln -s "root/boot/vmlinuz-$release" "$dir/vmlinuz"
		echo "$release" >"$dir/release"
		/sbin/depmod -b "$dir/root" "$release"
		touch "$dir/ok"
	fi
	echo "$dir"
}

debug() {
	refresh_lists
	version=$(apt-cache show --no-all-versions $source_package | sed -n 's/^Version: //p' | head -n 1)
	[ -n "$version" ] || die "apt knows no $source_package"
	hash=$( (echo "$version"; gcc -dumpfullversion; cat "$here/debug.config"
		sed -n '/^debug()/,/^}/p' "$here/get.sh") | sha256sum | cut -c 1-16)
	dir=$cache/debug-$hash
	source=$cache/source-$version
	if [ ! -e "$dir/ok" ]; then
		if [ ! -e "$source/ok" ]; then
			rm -rf "$source"
			mkdir -p "$source"
			if [ -e /usr/src/$source_package.tar.xz ] &&
				[ "$(dpkg-query -W -f '${Version}' $source_package 2>/dev/null)" = "$version" ]; then
				tarball=/usr/src/$source_package.tar.xz
			else
				unpack $source_package "$source/package"
				tarball=$source/package/usr/src/$source_package.tar.xz
			fi
			say "unpacking the kernel source"
			tar -C "$source" --strip-components=1 -xJf "$tarball"
			rm -rf "$source/package"
			touch "$source/ok"
		fi
		rm -rf "$dir"
		mkdir -p "$dir/build" "$dir/root"
		say "building the debug kernel, some minutes (log: $dir/log)"
		(
			cd "$source"
			make -s O="$dir/build" KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig
			check_config "$dir/build/.config"
			make -j"$jobs" O="$dir/build" bzImage modules
			make O="$dir/build" INSTALL_MOD_PATH="$dir/root" modules_install
			make -s O="$dir/build" kernelrelease >"$dir/release"
		) >"$dir/log" 2>&1 || { tail -n 30 "$dir/log" >&2; die "the debug kernel did not build"; }
		rm -f "$dir/root/lib/modules/"*/build "$dir/root/lib/modules/"*/source
		cp "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
		# Modules are built against headers, scripts and Module.symvers; the objects only fill the disk.
		find "$dir/build" \( -path "$dir/build/scripts" -o -path "$dir/build/tools" \) -prune -o \
			\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name 'vmlinux*' -o -name '.*.cmd' \) \
			-type f ! -name 'vmlinux.lds' -exec rm -f {} +
		touch "$dir/ok"
	fi
	echo "$dir"
}

# A line of the fragment that Kconfig dropped is a checker we believe in and do not have.
check_config() {
	lost=0
	while read -r line; do
		case $line in
		CONFIG_*=n) ! grep -q "^${line%%=*}=" "$1" || { lost=1; say "still on: $line"; } ;;
		CONFIG_*) grep -qxF "$line" "$1" || { lost=1; say "not taken: $line"; } ;;
		esac
	done <"$here/debug.config"
	[ $lost = 0 ]
}

mkdir -p "$cache"
# Two runs at once share the work instead of doing it twice.
exec 9>"$cache/lock-${1:-none}"
flock 9
case ${1:-} in
6.12) stock $stock_612_meta ;;
6.1) stock $stock_61_meta ;;
debug) debug ;;
*) die "usage: get.sh 6.1|6.12|debug" ;;
esac
