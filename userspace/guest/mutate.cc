// SPDX-License-Identifier: GPL-2.0-only
// Mutated images for the kernel: the same idea as the simulator's `mutate` runs, by another way. The kernel's checksums are
// real ones, so a change that is to be looked at has to be followed by right checksums all the way up; about half
// of the changes are made so.
#include <algorithm>

#include "userspace/guest/kit.h"
#include "userspace/guest/pool_image.h"
#include "userspace/sim/random.h"

namespace lcpfs::guest {

namespace {

using sim::Random;

constexpr size_t k_chunk = 1u << 20;
alignas(k_block_size) u8 s_wanted[k_chunk];
alignas(k_block_size) u8 s_found[k_chunk];

// Only what differs is written, past the page cache, and holes of the pristine file are not read: under the debug
// kernel this would otherwise cost more than all else.
bool restore(const std::string& pristine_path, const std::string& device_path)
{
    RawDevice pristine, device;
    if (!pristine.open(pristine_path, true) || !device.open(device_path, false, O_DIRECT))
        return false;
    for (u64 offset = 0; offset < device.bytes(); offset += k_chunk) {
        const size_t bytes = static_cast<size_t>(min<u64>(k_chunk, device.bytes() - offset));
        if (!pristine.has_data(offset, bytes))
            memset(s_wanted, 0, bytes);
        else if (!pristine.read(offset, s_wanted, bytes))
            return false;
        if (!device.read(offset, s_found, bytes))
            return false;
        for (size_t at = 0; at < bytes; at += k_block_size)
            if (memcmp(s_wanted + at, s_found + at, k_block_size) != 0
                && !device.write(offset + at, s_wanted + at, k_block_size))
                return false;
    }
    return true;
}

// One change of up to eight bytes, or of a piece copied from elsewhere, within `bytes`.
void change(std::vector<u8>& bytes, size_t head, Random& random)
{
    static constexpr u64 k_numbers[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                         0x7fffffffffffffff, 0x8000000000000000, ~0ull };
    const size_t width = size_t(1) << random.below(4);
    // Heads hold most of what is decoded.
    const size_t at = random.below((random.one_in(2) ? min(head, bytes.size()) : bytes.size()) - width);
    u64 value = 0;
    switch (random.below(5)) {
    case 0:
        bytes[at] = static_cast<u8>(bytes[at] ^ 1u << random.below(8));
        return;
    case 1:
        value = k_numbers[random.below(sizeof(k_numbers) / sizeof(k_numbers[0]))];
        break;
    case 2: // a number a little off
        memcpy(&value, &bytes[at], width);
        value += random.below(17) - 8;
        break;
    case 3:
        value = random.next();
        break;
    default: // a piece from somewhere else
        const size_t length = min<size_t>(bytes.size() - at, random.between(8, 200));
        const size_t from = random.below(bytes.size() - length);
        memmove(&bytes[at], &bytes[from], length);
        return;
    }
    memcpy(&bytes[at], &value, width);
}

bool mutate_node(PoolImage& image, Random& random)
{
    size_t node = random.below(image.nodes().size());
    // The few nodes that all else hangs on come as often as the many others.
    for (int tries = 0; tries < 20 && random.one_in(2) && image.nodes()[node].pointer.level == 0
         && image.nodes()[node].owner.kind >= TreeKind::objects; tries++)
        node = random.below(image.nodes().size());
    const NodePointer pointer = image.nodes()[node].pointer;
    std::vector<u8>& bytes = image.bytes_of(node);
    // Items are at the end, the last ones just behind heap_start; slots and header at the start.
    const std::vector<u8> before = bytes;
    for (u64 changes = random.between(1, 3); changes; changes--) {
        if (random.one_in(2)) {
            change(bytes, 256, random);
            continue;
        }
        const u32 heap = reinterpret_cast<const DiskNodeHeader*>(before.data())->heap_start.get();
        std::vector<u8> items(bytes.begin() + min<u32>(heap, pointer.size_bytes - 64), bytes.end());
        change(items, items.size(), random);
        std::copy(items.begin(), items.end(), bytes.end() - static_cast<ptrdiff_t>(items.size()));
    }
    if (random.one_in(2))
        return image.write_sealed(node);
    // Unsealed, and often in one copy only: something to repair.
    const u32 copies = random.one_in(2) ? 1 : pointer.copies;
    for (u32 copy = 0; copy < copies; copy++)
        if (!image.device(0).write(pointer.dva[copy].block * k_block_size, bytes.data(), bytes.size()))
            return false;
    return true;
}

bool mutate_uberblock(PoolImage& image, Random& random)
{
    std::vector<u8> bytes(sizeof(DiskUberblock));
    memcpy(bytes.data(), &image.uberblock(), bytes.size());
    change(bytes, 272, random);
    memcpy(static_cast<void*>(&image.uberblock()), bytes.data(), bytes.size());
    return image.write_uberblock();
}

bool mutate_label(PoolImage& image, Random& random)
{
    const u32 first = random.one_in(2) ? 0 : static_cast<u32>(random.below(k_label_count));
    Label label;
    if (!image.read_label(0, first, label))
        return false;
    std::vector<u8> bytes(sizeof(Label));
    memcpy(bytes.data(), &label, bytes.size());
    change(bytes, sizeof(DiskLabelHeader) + sizeof(DiskVdevEntry), random);
    memcpy(static_cast<void*>(&label), bytes.data(), bytes.size());
    for (u32 index = first; index < k_label_count; index++)
        if (!image.write_label(0, index, label))
            return false;
    return true;
}

// Any four kilobytes of the front, where labels, bitmaps and nodes are.
bool mutate_anywhere(PoolImage& image, Random& random)
{
    const u64 block = random.below(min<u64>(image.device(0).bytes() / k_block_size, 2048));
    std::vector<u8> bytes(k_block_size);
    if (!image.device(0).read(block * k_block_size, bytes.data(), bytes.size()))
        return false;
    change(bytes, 64, random);
    return image.device(0).write(block * k_block_size, bytes.data(), bytes.size());
}

}

int mutate_verb(const Arguments& arguments)
{
    unsigned long long seed = 0;
    if (arguments.size() != 3 || !parse_number(arguments[0], seed))
        return k_usage_error;
    PoolImage image;
    if (!restore(arguments[1], arguments[2]) || !image.open({ arguments[2] }, false))
        return k_failed;
    Random random(seed);
    for (u64 changes = random.between(1, random.one_in(3) ? 12 : 3); changes; changes--) {
        const u64 what = random.below(16);
        const bool done = what < 12 ? mutate_node(image, random)
            : what < 13             ? mutate_uberblock(image, random)
            : what < 14             ? mutate_label(image, random)
                                    : mutate_anywhere(image, random);
        if (!done)
            return k_failed;
    }
    return image.device(0).sync() ? k_done : k_failed;
}

}
