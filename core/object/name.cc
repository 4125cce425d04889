// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/name.h"

#include "core/host/host.h"

namespace lcpfs {

Result<Name> Name::decode(Bytes key, Bytes value)
{
    VERIFY_DISK(key.size() == 8 && value.size() > sizeof(DiskName), dirent_damaged);
    BigEndianKey number;
    copy_bytes(&number, key.data(), 8);
    DiskName disk;
    copy_bytes(&disk, value.data(), sizeof(disk));
    Name name;
    name.cookie = number.get();
    name.object = disk.object.get();
    name.type = disk.type;
    name.text = value.slice(sizeof(disk), value.size() - sizeof(disk));
    VERIFY_DISK(name.cookie >= k_cookie_collisions && name.cookie >> 63 == 0, dirent_damaged);
    VERIFY_DISK(name.object >= 2 && name.type < 16, dirent_damaged);
    VERIFY_DISK(name.text.size() == disk.length.get() && name.text.size() <= k_max_name_bytes, dirent_damaged);
    for (u8 byte : name.text)
        VERIFY_DISK(byte != 0 && byte != '/', dirent_damaged);
    return name;
}

u32 encode_name(u64 object, u8 type, Bytes text, u8* out)
{
    DiskName disk {};
    disk.object.set(object);
    disk.type = type;
    disk.length.set(static_cast<u16>(text.size()));
    copy_bytes(out, &disk, sizeof(disk));
    copy_bytes(out + sizeof(disk), text.data(), text.size());
    return static_cast<u32>(sizeof(disk) + text.size());
}

u64 name_cookie(Bytes text, const DiskGuid& seed)
{
    u64 secret;
    copy_bytes(&secret, seed.bytes, 8);
    u64 hash = host_xxh64(text.data(), text.size(), secret) >> 8;
    if (hash == 0)
        hash = 1;
    return hash << k_cookie_collision_bits;
}

}
