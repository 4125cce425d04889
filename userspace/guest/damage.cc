// SPDX-License-Identifier: GPL-2.0-only
// Damage at a chosen place, and feature flags from the future.
#include "userspace/guest/kit.h"
#include "userspace/guest/pool_image.h"

namespace lcpfs::guest {

static const char* name_of(TreeKind kind)
{
    switch (kind) {
    case TreeKind::pool:
        return "pool";
    case TreeKind::metaslabs:
        return "metaslabs";
    case TreeKind::objects:
        return "objects";
    case TreeKind::orphans:
        return "orphans";
    case TreeKind::extents:
        return "extents";
    case TreeKind::directory:
        return "directory";
    case TreeKind::xattrs:
        return "xattrs";
    case TreeKind::shares:
        return "shares";
    }
    return "?";
}

int nodes_verb(const Arguments& arguments)
{
    if (arguments.empty())
        return k_usage_error;
    PoolImage image;
    if (!image.open(arguments, true))
        return k_failed;
    for (const NodeAt& node : image.nodes()) {
        printf("%s %llu %u", name_of(node.owner.kind), static_cast<unsigned long long>(node.owner.object),
               node.pointer.level);
        for (u32 copy = 0; copy < node.pointer.copies; copy++)
            printf(" %u:%llu", node.pointer.dva[copy].vdev.value(),
                   static_cast<unsigned long long>(node.pointer.dva[copy].block));
        printf("\n");
    }
    return k_done;
}

int flip_verb(const Arguments& arguments)
{
    unsigned long long block = 0, byte = 0, bit = 0;
    if (arguments.size() != 4 || !parse_number(arguments[1], block) || !parse_number(arguments[2], byte)
        || !parse_number(arguments[3], bit) || bit > 7)
        return k_usage_error;
    RawDevice device;
    u8 value = 0;
    if (!device.open(arguments[0], false) || !device.read(block * k_block_size + byte, &value, 1))
        return k_failed;
    value = static_cast<u8>(value ^ 1u << bit);
    return device.write(block * k_block_size + byte, &value, 1) && device.sync() ? k_done : k_failed;
}

int feature_verb(const Arguments& arguments)
{
    unsigned long long bit = 0;
    if (arguments.size() < 3 || !parse_number(arguments[1], bit) || bit > 63)
        return k_usage_error;
    PoolImage image;
    if (!image.open(Arguments(arguments.begin() + 2, arguments.end()), false))
        return k_failed;
    for (size_t device = 0; device < image.device_count(); device++)
        for (u32 index = 0; index < k_label_count; index++) {
            Label label;
            if (!image.read_label(device, index, label))
                return k_failed;
            le64* set = arguments[0] == "compat" ? &label.header.compat
                : arguments[0] == "ro-compat"    ? &label.header.ro_compat
                : arguments[0] == "incompat"     ? &label.header.incompat
                                                 : nullptr;
            if (!set)
                return k_usage_error;
            set->set(set->get() | 1ull << bit);
            if (!image.write_label(device, index, label) || !image.device(device).sync())
                return k_failed;
        }
    return k_done;
}

}
