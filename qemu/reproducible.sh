#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# reproducible.sh MAKE: builds the last commit twice, in folders of different names, and compares what `make install` puts in place, bit
# by bit. Some ten minutes.
set -eu
make=${1:-make}
top=$(pwd)
work=$top/build/reproducible
unset MAKEFLAGS MAKELEVEL MFLAGS
rm -rf "$work"
for place in once again-under-another-name; do
	mkdir -p "$work/$place"
	git archive HEAD | tar -C "$work/$place" -xf -
	(cd "$work/$place" && $make install DESTDIR="$work/$place.installed" ${KDIR:+KDIR="$KDIR"} >"$work/$place.log" 2>&1) ||
		{ tail -n 20 "$work/$place.log"; echo "lcpfs-result: reproducible 0 passed, 1 failed"; exit 1; }
	(cd "$work/$place.installed" && find . -type f | sort | xargs sha256sum) >"$work/$place.sums"
done
if ! diff "$work/once.sums" "$work/again-under-another-name.sums"; then
	echo "lcpfs-result: reproducible 0 passed, 1 failed"
	exit 1
fi
echo "lcpfs-result: reproducible $(wc -l <"$work/once.sums") passed, 0 failed"
