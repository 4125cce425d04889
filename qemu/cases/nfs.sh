# Exported over NFS 4.2 and mounted through the loopback: files made on one side are the same on the other, mapped and cut and cloned; what
# is open at a client goes on when the server has unmounted, and mounted anew; what was removed there is stale, and no other file.
# By name only: its packages start a server on the machine that installs them.
# disks: 2x256M
# programs: rpc.mountd exportfs rpc.nfsd mount umount cp cmp setfattr getfattr
# packages: nfs-kernel-server nfs-common attr util-linux coreutils diffutils
# modules: nfsd nfs nfsv4 rpcsec_gss_krb5
# files: /etc/netconfig
# memory: 1024
# timeout: 300
# kernels: none
serve() {
	must exportfs -ra
	rpc.nfsd -N 3 -U 4 2>/dev/null || must rpc.nfsd -N 3 4
}
unserve() {
	must rpc.nfsd 0
	must exportfs -ua
	echo 1 >/proc/fs/nfsd/unlock_filesystem 2>/dev/null
	exportfs -f
}

modprobe nfsd || skip "no NFS server in this kernel"
modprobe nfsv4
ifconfig lo 127.0.0.1 up
cp /files/netconfig /etc/netconfig
printf 'nfs 2049/tcp\nsunrpc 111/tcp\nmountd 20048/tcp\n' >/etc/services
echo '127.0.0.1 localhost' >/etc/hosts
echo 'root:x:0:0::/:/bin/sh' >/etc/passwd
mkdir -p /var/lib/nfs/sm /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs /nfs
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
must mount -t nfsd nfsd /proc/fs/nfsd
must mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs
echo '/mnt 127.0.0.1(rw,fsid=0,no_root_squash,insecure,no_subtree_check)' >/etc/exports
must make_pool
must mount_pool /mnt
# Clients of before the start have nothing to claim back here.
echo 10 >/proc/fs/nfsd/nfsv4gracetime
echo 10 >/proc/fs/nfsd/nfsv4leasetime
serve
rpc.mountd -N 2 -N 3 || fail "rpc.mountd"
must mount -i -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,sec=sys 127.0.0.1:/ /nfs

say "files"
mkdir /nfs/tree
for i in $(seq 200); do seq $i $((i * 5)) >/nfs/tree/f$i; done
dd if=/dev/urandom of=/nfs/big bs=1M count=20 2>/dev/null
sync -f /nfs
same "$(cd /mnt && cat tree/* big | sha256sum)" "$(cd /nfs && cat tree/* big | sha256sum)" "both sides"
echo local >/mnt/made-here
same "$(cat /nfs/made-here)" local "a file made at the server"

say "sharing, attributes"
must cp --reflink=always /nfs/big /nfs/clone
cmp /mnt/big /mnt/clone || fail "a clone"
must setfattr -n user.of -v nfs /nfs/big
same "$(getfattr --only-values -n user.of /mnt/big)" nfs "an attribute"
must fallocate -p -o 1M -l 2M /nfs/clone 2>/dev/null || say "(no hole)"
must mv /nfs/clone /nfs/tree/moved
must ln /nfs/big /nfs/tree/linked
same "$(stat -c %h /mnt/big)" 2 "links"

say "a server that went and came"
exec 5</nfs/big 6</nfs/tree/f7
sum=$(sha256sum </mnt/big)
unserve
must umount /mnt
must check_pool
must mount_pool /mnt
serve
echo 3 >/proc/sys/vm/drop_caches
same "$(sha256sum <&5)" "$sum" "what was open"
rm /mnt/tree/f7
for i in $(seq 50); do echo $i >/mnt/tree/new$i; done
echo 3 >/proc/sys/vm/drop_caches
if cat <&6 >/tmp/stale 2>/dev/null && [ -s /tmp/stale ]; then fail "a file that is gone was read: $(head -c 100 /tmp/stale)"; fi
exec 5<&- 6<&-
same "$(ls /nfs/tree | wc -l)" $((199 + 2 + 50)) "names"
must umount /nfs
unserve
killall rpc.mountd 2>/dev/null
must umount /mnt
must check_pool
