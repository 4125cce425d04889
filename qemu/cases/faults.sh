# Each allocation of memory and each request to a device that a system call makes fails in turn, by the kernel's fault injection:
# never a crash, a leak or damage. Debug kernel only; every second call's first places; --set SHARE=1 --set MOST=200 for all. (What kernel
# threads allocate fails in case race.)
# disks: 2x64M
# programs: build/test/torture
# kernels: debug
# timeout: 400
# allow: FAULT_INJECTION|Buffer I/O error|I/O error, dev
# environment: MOST=5 SHARE=2 OPERATIONS=
F=/sys/kernel/debug
[ -d $F/failslab ] || skip "no fault injection in this kernel"
for kind in failslab fail_page_alloc; do
	echo N >$F/$kind/ignore-gfp-wait
	echo 0 >$F/$kind/verbose
done
echo 0 >$F/fail_page_alloc/min-order
echo 0 >$F/fail_make_request/verbose
echo 1 >/sys/block/vda/make-it-fail
echo 1 >/sys/block/vdb/make-it-fail
must make_pool
must mount_pool /mnt errors=continue
mkdir /mnt/work
turn=0
for operation in ${OPERATIONS:-$(torture faults /mnt/work all 1 1)}; do
	turn=$((turn + 1))
	[ -n "$OPERATIONS" ] || [ $((turn % SHARE)) = 0 ] || continue
	from=1
	while :; do
		torture faults /mnt/work $operation $from $MOST >/tmp/out
		status=$?
		cat /tmp/out
		[ $status != 0 ] || break
		[ $status = 3 ] || fail "$operation"
		number=$(sed -n 's/^stopped //p' /tmp/out)
		[ -n "$number" ] && [ $number -ge $from ] || fail "$operation does not go on"
		say "$operation: the fault before $number ended writing; mounted anew"
		umount /mnt
		must check_pool
		must mount_pool /mnt errors=continue
		[ $number != $from ] || number=$((from + 1))
		from=$number
	done
done
must umount /mnt
must check_pool
