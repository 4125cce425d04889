#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sim-broken.sh PROGRAM: each deliberate mistake that the simulator was built with has to be found by it, and
# what finds it has to pass without the mistake: a simulator that fails anyway proves nothing.
set -u
program=$1
passed=0 failed=0
for mistake in $("$program" --broken=list); do
	log=build/results/sim-broken-$mistake.log
	mkdir -p build/results
	"$program" --broken="$mistake" >"$log" 2>&1
	status=$?
	again=$(sed -n "s/^sim: failed: \(.*\) --broken=$mistake\$/\1/p" "$log" | head -n 1)
	if [ $status != 0 ] || [ -z "$again" ]; then
		failed=$((failed + 1))
		tail -n 20 "$log"
		echo "not ok $mistake: not found"
	elif ! $again >"$log.without" 2>&1; then
		failed=$((failed + 1))
		tail -n 20 "$log.without"
		echo "not ok $mistake: without it this fails too: $again"
	else
		passed=$((passed + 1))
		echo "ok $mistake: found by $again"
	fi
done
[ $((passed + failed)) != 0 ] || failed=1
echo "lcpfs-result: sim-broken $passed passed, $failed failed"
[ $failed = 0 ]
