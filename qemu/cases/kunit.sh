# Every test case of the core and of the shim, inside the debug kernel. In two boots of half the suites each: the kernel's
# depot of stack traces, which KASAN and kmemleak fill and never empty, is full after some twenty minutes of them.
# kernels: none
# disks: 2x128M
# boots: 2
# module: no
# timeout: 600
case $STAGE in
1) half='lcpfs_[a-m]*' ;;
*) half='lcpfs_[!a-m]*' ;;
esac
printf %s "$half" >/sys/module/kunit/parameters/filter_glob || fail "KUnit takes no filter"
must modprobe lcpfs_kunit
must rmmod lcpfs_kunit
