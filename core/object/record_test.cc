// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/record.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

struct Buffer {
    u8 bytes[k_max_record_bytes + 1];
};

ObjectAttributes sample(u32 type)
{
    ObjectAttributes a;
    a.generation = 1ull << 40;
    a.size_bytes = 0x7fffffffffffffffull;
    a.blocks = 123456789012ull;
    a.change = ~0ull;
    a.parent = 17;
    a.mode = type | 07654;
    a.uid = 0xfffffffe;
    a.gid = 1;
    a.project = 2;
    a.links = 0x7fffffff;
    a.flags = 0x80000001;
    a.state = k_object_truncating;
    a.rdev = 0x12345678;
    a.atime = { -1, 999999999 };
    a.mtime = { 0x7fffffffffffffffll, 0 };
    a.ctime = { -0x7fffffffffffffffll, 1 };
    a.btime = { 5, 6 };
    return a;
}

NodePointer sample_pointer()
{
    NodePointer pointer;
    pointer.copies = 2;
    for (u32 i = 0; i < 2; i++)
        pointer.dva[i] = { 1000 + i, 4, VdevId(static_cast<u16>(i)) };
    pointer.birth = TxgId(9);
    pointer.size_bytes = 16384;
    pointer.checksum_kind = ChecksumKind::xxh64;
    pointer.level = 3;
    pointer.checksum.bytes[31] = 0xab;
    return pointer;
}

bool same_time(Time a, Time b) { return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds; }

// One field of a sound record of a file whose tree is a node.
struct Row {
    const char* name;
    void (*spoil)(DiskObject& object, DiskRoot& root, DiskNodePointer& pointer);
    Error expected;
};

#define LCPFS_SPOIL(statement) \
    [](DiskObject& object, DiskRoot& root, DiskNodePointer& pointer) { (void)object, (void)root, (void)pointer; statement; }
constexpr Row k_rows[] = {
    { "sound", LCPFS_SPOIL(), Error::none },
    { "header_bytes", LCPFS_SPOIL(object.header_bytes.set(127)), Error::record_damaged },
    { "no_root", LCPFS_SPOIL(object.root_count.set(0)), Error::record_damaged },
    { "root_missing", LCPFS_SPOIL(object.root_count.set(2)), Error::record_damaged },
    { "three_roots", LCPFS_SPOIL(object.root_count.set(3)), Error::record_damaged },
    { "size_negative", LCPFS_SPOIL(object.size_bytes.set(1ull << 63)), Error::record_damaged },
    { "links", LCPFS_SPOIL(object.links.set(0x80000000u)), Error::record_damaged },
    { "mode_no_type", LCPFS_SPOIL(object.mode.set(0644)), Error::record_damaged },
    { "mode_unknown_type", LCPFS_SPOIL(object.mode.set(0170000 | 0644)), Error::record_damaged },
    { "mode_high_bits", LCPFS_SPOIL(object.mode.set(0x10000 | k_mode_regular)), Error::record_damaged },
    { "mode_other_tree", LCPFS_SPOIL(object.mode.set(k_mode_directory | 0755)), Error::record_damaged },
    { "shares_of_a_directory", LCPFS_SPOIL(object.state.set(k_object_has_shares); object.mode.set(k_mode_directory | 0755); root.kind = 6),
      Error::record_damaged },
    { "unwritten_in_a_directory",
      LCPFS_SPOIL(object.state.set(k_object_has_unwritten); object.mode.set(k_mode_directory | 0755); root.kind = 6),
      Error::record_damaged },
    { "state", LCPFS_SPOIL(object.state.set(8)), Error::record_damaged },
    { "atime", LCPFS_SPOIL(object.atime.nanoseconds.set(1000000000)), Error::record_damaged },
    { "mtime", LCPFS_SPOIL(object.mtime.nanoseconds.set(1000000000)), Error::record_damaged },
    { "ctime", LCPFS_SPOIL(object.ctime.nanoseconds.set(0xffffffff)), Error::record_damaged },
    { "btime", LCPFS_SPOIL(object.btime.nanoseconds.set(1u << 31)), Error::record_damaged },
    { "root_form", LCPFS_SPOIL(root.form = 3), Error::record_damaged },
    { "root_form_empty", LCPFS_SPOIL(root.form = 0), Error::record_damaged },
    { "root_kind", LCPFS_SPOIL(root.kind = static_cast<u8>(TreeKind::directory)), Error::record_damaged },
    { "root_kind_unknown", LCPFS_SPOIL(root.kind = 99), Error::record_damaged },
    { "root_bytes", LCPFS_SPOIL(root.bytes.set(95)), Error::record_damaged },
    { "root_bytes_more", LCPFS_SPOIL(root.bytes.set(97)), Error::record_damaged },
    { "pointer_null", LCPFS_SPOIL(pointer.copies = 0), Error::record_damaged },
    { "pointer_copies", LCPFS_SPOIL(pointer.copies = 4), Error::record_damaged },
    { "pointer_fewer_copies", LCPFS_SPOIL(pointer.copies = 1), Error::record_damaged },
    { "pointer_more_copies", LCPFS_SPOIL(pointer.copies = 3), Error::record_damaged },
    { "pointer_size", LCPFS_SPOIL(pointer.size_bytes.set(16383)), Error::record_damaged },
    { "pointer_size_small", LCPFS_SPOIL(pointer.size_bytes.set(8192)), Error::record_damaged },
    { "pointer_size_large", LCPFS_SPOIL(pointer.size_bytes.set(65536)), Error::record_damaged },
    { "pointer_length", LCPFS_SPOIL(pointer.dva[1].length_blocks.set(5)), Error::record_damaged },
    { "pointer_no_checksum", LCPFS_SPOIL(pointer.checksum_kind = 0), Error::record_damaged },
    { "pointer_checksum_kind", LCPFS_SPOIL(pointer.checksum_kind = 4), Error::record_damaged },
    { "pointer_encoding", LCPFS_SPOIL(pointer.encoding = 1), Error::record_damaged },
    { "pointer_level", LCPFS_SPOIL(pointer.level = 16), Error::record_damaged },
    { "pointer_birth", LCPFS_SPOIL(pointer.birth_txg.set(0)), Error::record_damaged },
};
#undef LCPFS_SPOIL

}

static void damaged(Test& test, const Row& row)
{
    Box<Buffer> buffer = REQUIRE_VALUE(make_box<Buffer>());
    RecordRoots roots;
    RecordRoot& root = roots.body;
    root.form = RootForm::node;
    root.kind = TreeKind::extents;
    root.pointer = sample_pointer();
    const u32 bytes = encode_record(sample(k_mode_regular), roots, { buffer->bytes, k_max_record_bytes });
    REQUIRE_EQ(bytes, sizeof(DiskObject) + sizeof(DiskRoot) + sizeof(DiskNodePointer));
    row.spoil(*reinterpret_cast<DiskObject*>(buffer->bytes), *reinterpret_cast<DiskRoot*>(buffer->bytes + sizeof(DiskObject)),
              *reinterpret_cast<DiskNodePointer*>(buffer->bytes + sizeof(DiskObject) + sizeof(DiskRoot)));
    Box<ObjectAttributes> attributes = REQUIRE_VALUE(make_box<ObjectAttributes>());
    CHECK_EQ(decode_record({ buffer->bytes, bytes }, *attributes, roots).error(), row.expected);
}
LCPFS_TABLE_SUITE(record_damage, k_rows, damaged);

static void check_same(Test& test, const ObjectAttributes& a, const ObjectAttributes& b)
{
    CHECK(a.generation == b.generation && a.size_bytes == b.size_bytes && a.blocks == b.blocks && a.change == b.change);
    CHECK(a.parent == b.parent && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.project == b.project);
    CHECK(a.links == b.links && a.flags == b.flags && a.state == b.state && a.rdev == b.rdev);
    CHECK(same_time(a.atime, b.atime) && same_time(a.mtime, b.mtime) && same_time(a.ctime, b.ctime) && same_time(a.btime, b.btime));
}

static void round_trip(Test& test)
{
    constexpr u32 k_types[] = { k_mode_fifo,    k_mode_character, k_mode_directory, k_mode_block,
                                k_mode_regular, k_mode_symlink, k_mode_socket };
    Box<Buffer> buffer = REQUIRE_VALUE(make_box<Buffer>());
    Box<ObjectAttributes> attributes = REQUIRE_VALUE(make_box<ObjectAttributes>());
    for (u32 type : k_types) {
        RecordRoots roots;
        RecordRoot& root = roots.body;
        root.kind = tree_kind_of(type);
        u32 bytes = encode_record(sample(type), roots, { buffer->bytes, k_max_record_bytes });
        CHECK_EQ(bytes, sizeof(DiskObject) + sizeof(DiskRoot));
        CHECK_OK(decode_record({ buffer->bytes, bytes }, *attributes, roots));
        check_same(test, *attributes, sample(type));
        CHECK_EQ(root.form, RootForm::empty);
    }
    // Items where they are to stand already, as a commit has them.
    RecordRoots roots;
    RecordRoot& root = roots.body;
    root.form = RootForm::inlined;
    root.kind = TreeKind::extents;
    u8* const items = buffer->bytes + sizeof(DiskObject) + sizeof(DiskRoot);
    for (u32 i = 0; i < k_inline_root_bytes; i++)
        items[i] = static_cast<u8>(i * 7);
    root.items = { items, k_inline_root_bytes };
    u32 bytes = encode_record(sample(k_mode_regular), roots, { buffer->bytes, k_max_record_bytes });
    CHECK_EQ(bytes, k_max_record_bytes - sizeof(DiskRoot) - k_inline_xattr_bytes);
    root = RecordRoot();
    REQUIRE_OK(decode_record({ buffer->bytes, bytes }, *attributes, roots));
    REQUIRE_EQ(root.items.size(), k_inline_root_bytes);
    for (u32 i = 0; i < k_inline_root_bytes; i++)
        REQUIRE_EQ(root.items[i], static_cast<u8>(i * 7));
    CHECK_ERROR(decode_record({ buffer->bytes, bytes + 1 }, *attributes, roots), record_damaged);
    CHECK_ERROR(decode_record({ buffer->bytes, bytes - 1 }, *attributes, roots), record_damaged);
    // A node's pointer, and every shorter record.
    root = RecordRoot();
    root.form = RootForm::node;
    root.kind = TreeKind::directory;
    root.pointer = sample_pointer();
    bytes = encode_record(sample(k_mode_directory), roots, { buffer->bytes, k_max_record_bytes });
    root.pointer = NodePointer();
    REQUIRE_OK(decode_record({ buffer->bytes, bytes }, *attributes, roots));
    const NodePointer wanted = sample_pointer();
    CHECK(root.pointer.dva[1] == wanted.dva[1] && root.pointer.birth == wanted.birth && root.pointer.level == wanted.level);
    CHECK(root.pointer.checksum == wanted.checksum && root.pointer.copies == 2);
    for (u32 cut = 0; cut < bytes; cut++)
        CHECK_ERROR(decode_record({ buffer->bytes, cut }, *attributes, roots), record_damaged);
}

// Two roots, each where a commit has it, the longest record that there is; then every shorter one.
static void two_roots(Test& test)
{
    Box<Buffer> buffer = REQUIRE_VALUE(make_box<Buffer>());
    Box<ObjectAttributes> attributes = REQUIRE_VALUE(make_box<ObjectAttributes>());
    u8* const out = buffer->bytes;
    for (u32 i = 0; i < k_max_record_bytes; i++)
        out[i] = static_cast<u8>(i * 11);
    RecordRoots roots;
    roots.body.form = roots.xattrs.form = RootForm::inlined;
    roots.body.kind = TreeKind::directory;
    roots.xattrs.kind = TreeKind::xattrs;
    for (u32 body = 0; body <= k_inline_root_bytes; body += k_inline_root_bytes / 4) {
        for (u32 i = 0; i < k_inline_xattr_bytes; i++)
            out[k_record_xattr_offset + i] = static_cast<u8>(i * 13);
        roots.body.form = body ? RootForm::inlined : RootForm::empty;
        roots.body.items = { out + k_record_body_offset, body };
        roots.xattrs.items = { out + k_record_xattr_offset, k_inline_xattr_bytes };
        const u32 bytes = encode_record(sample(k_mode_directory), roots, { out, k_max_record_bytes });
        CHECK_EQ(bytes, k_max_record_bytes - k_inline_root_bytes + body);
        RecordRoots found;
        REQUIRE_OK(decode_record({ out, bytes }, *attributes, found));
        REQUIRE_EQ(found.xattrs.items.size(), k_inline_xattr_bytes);
        CHECK_EQ(found.body.items.size(), body);
        for (u32 i = 0; i < k_inline_xattr_bytes; i++)
            REQUIRE_EQ(found.xattrs.items[i], static_cast<u8>(i * 13));
        for (u32 cut = 0; cut < bytes; cut++)
            REQUIRE(decode_record({ out, cut }, *attributes, found).error() == Error::record_damaged);
        DiskRoot second;
        copy_bytes(&second, out + k_record_body_offset + body, sizeof(second));
        second.kind = static_cast<u8>(TreeKind::directory);
        copy_bytes(out + k_record_body_offset + body, &second, sizeof(second));
        CHECK_ERROR(decode_record({ out, bytes }, *attributes, found), record_damaged);
    }
    // A second root of nothing is one that should not be there.
    DiskRoot nothing;
    nothing.form = static_cast<u8>(RootForm::empty);
    nothing.kind = static_cast<u8>(TreeKind::xattrs);
    nothing.bytes.set(0);
    roots = RecordRoots();
    roots.body.kind = TreeKind::directory;
    const u32 bytes = encode_record(sample(k_mode_directory), roots, { out, k_max_record_bytes });
    CHECK_EQ(bytes, k_record_body_offset);
    reinterpret_cast<DiskObject*>(out)->root_count.set(2);
    copy_bytes(out + bytes, &nothing, sizeof(nothing));
    CHECK_ERROR(decode_record({ out, bytes + u32(sizeof(nothing)) }, *attributes, roots), record_damaged);
}

namespace {
constexpr TestCase k_cases[] = { { "round_trip", round_trip }, { "two_roots", two_roots } };
}
LCPFS_SUITE(record, k_cases);

}
