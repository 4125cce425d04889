#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# test.sh MAKE: all of `make test`, in an order that keeps both processors busy: the debug kernel,
# the longest single piece, is built with low priority behind the parts that need no kernel.
# Ends with one line, `N passed, N failed`; a part that did not run counts as one failure.
set -u
make=${1:-make}
results=build/results
parts="tidy unit sim kunit guest"
export LCPFS_RESULTS=$results
unset MAKEFLAGS MAKELEVEL MFLAGS
started=$(date +%s)
stage() { printf '\n==== %s (%d s)\n' "$*" $(($(date +%s) - started)); }

rm -rf $results
mkdir -p $results
stage deps
$make deps || { echo "0 passed, 1 failed"; exit 1; }
for kernel in 6.12 6.1; do
	qemu/kernels/get.sh $kernel >/dev/null || echo "kernel $kernel: not available" >&2
done
nice -n 5 qemu/kernels/get.sh debug >$results/debug-kernel.log 2>&1 &
debug=$!

for part in tidy unit sim; do
	stage $part
	$make $part || echo "==== $part failed" >&2
done
stage "waiting for the debug kernel"
wait $debug || { tail -n 40 $results/debug-kernel.log; }
stage "modules and programs for the guests"
if $make guest-build; then
	# One processor each: kunit, the longest of all, and the cases share the machine's.
	stage "kunit and guest"
	qemu/part.sh kunit qemu/run --kernel debug --case kunit &
	kunit=$!
	qemu/part.sh guest qemu/run || echo "==== guest failed" >&2
	wait $kunit || echo "==== kunit failed" >&2
fi

passed=0
failed=0
stage summary
for part in $parts; do
	if [ -s $results/$part ]; then
		read -r p _ f _ <$results/$part
	else
		p=0 f=1
		echo "$part did not run" >&2
	fi
	printf '%-8s %6d passed, %d failed\n' $part "$p" "$f"
	passed=$((passed + p))
	failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
