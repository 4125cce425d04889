#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# part.sh NAME COMMAND...: runs one part of `make test`, shows and keeps its output, and records its
# count. Every part's last word is a line
#     lcpfs-result: NAME <n> passed, <n> failed
# A part that exits with an error or says no such line has failed, whatever it counted.
set -u
name=$1
shift
dir=${LCPFS_RESULTS:-build/results}
mkdir -p "$dir"
rm -f "$dir/$name"
{ "$@" 2>&1; echo $? >"$dir/$name.status"; } | tee "$dir/$name.log"
status=$(cat "$dir/$name.status")
line=$(sed -n "s/^lcpfs-result: $name \([0-9]* passed, [0-9]* failed\).*/\1/p" "$dir/$name.log" | tail -n 1)
if [ -z "$line" ]; then
	line="0 passed, 1 failed"
	echo "lcpfs-result: $name $line (it gave no count, exit status $status)"
	[ "$status" != 0 ] || status=1
elif [ "$status" != 0 ] && [ "${line##* passed, }" = "0 failed" ]; then
	line="${line%% passed*} passed, 1 failed"
	echo "lcpfs-result: $name $line (exit status $status)"
elif [ "$status" = 0 ] && [ "${line##* passed, }" != "0 failed" ]; then
	status=1
fi
echo "$line" >"$dir/$name"
exit "$status"
