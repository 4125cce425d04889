# Idmapped mounts: who owns what is another on such a mount, for what is there, what is made, given away and refused, and in access lists.
# disks: 1x64M
# programs: setfacl getfacl build/test/torture
# packages: acl
# timeout: 120
DISKS=/dev/vda
owner() { stat -c '%u:%g' $1; }
must make_pool
must mount_pool /mnt
mkdir /mapped
chmod 755 /mnt
echo zero >/mnt/zero
echo five >/mnt/five
must chown 5:6 /mnt/five
mkdir /mnt/shared && chmod 1777 /mnt/shared
must setfacl -m u:7:rw /mnt/zero
must torture idmap /mnt /mapped 100000
same "$(owner /mapped/zero) $(owner /mapped/five)" "100000:100000 100005:100006" "owners on the mapped mount"
same "$(owner /mnt/zero) $(owner /mnt/five)" "0:0 5:6" "owners on the other"
getfacl -n /mapped/zero 2>/dev/null | grep -q 'user:100007:rw-' || fail "the access list is not mapped: $(getfacl -n /mapped/zero)"
same "$(torture make-as 100009 /mapped/shared/mine)" made "making as a mapped user"
same "$(owner /mnt/shared/mine) $(owner /mapped/shared/mine)" "9:9 100009:100009" "its owners"
same "$(torture make-as 9 /mapped/shared/unmapped)" "Value too large for defined data type" "making as a user with no number there"
same "$(torture make-as 100009 /mapped/refused)" "Permission denied" "making where only the owner may"
must chown 100011:100012 /mapped/shared/mine
same "$(owner /mnt/shared/mine)" "11:12" "given away"
must_fail chown 13 /mapped/shared/mine 2>/dev/null
must setfacl -m u:100020:r /mapped/shared/mine
getfacl -n /mnt/shared/mine 2>/dev/null | grep -q 'user:20:r--' || fail "an access list that was set on the mapped mount"
must umount /mapped
must umount /mnt
must check_pool
must mount_pool /mnt
same "$(owner /mnt/shared/mine)" "11:12" "after a mount"
