#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# fuzz.sh SECONDS PROGRAM...: each libFuzzer target for so long; what crashed stays in build/fuzz/.
set -u
seconds=$1
shift
passed=0 failed=0
for program in "$@"; do
	corpus=$program.corpus
	mkdir -p "$corpus"
	name=$(basename "$program")
	seeds=userspace/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	if "$program" -max_total_time="$seconds" -print_final_stats=1 -rss_limit_mb=4096 -timeout=20 \
		-artifact_prefix="$program.crash-" "$corpus" $seeds >"$program.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$program.log") runs"
	else
		failed=$((failed + 1))
		tail -n 60 "$program.log"
		echo "not ok $name"
	fi
done
echo "lcpfs-result: fuzz $passed passed, $failed failed"
[ $failed = 0 ]
