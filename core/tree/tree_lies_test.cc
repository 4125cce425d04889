// SPDX-License-Identifier: GPL-2.0-only
// Trees that lie, every node behind a checksum that matches: keys where the parent leaves no room for them, a node named
// twice, a height that cannot be. And what is asked of a tree that does not have it.
#include "core/test/tree_ground.h"

namespace lcpfs {

using namespace tree_test;

namespace {

// A page on its way to disk.
struct Draft {
    Status start(u8 level)
    {
        TRY(buffer.resize(k_node_bytes));
        zero_bytes(buffer.begin(), k_node_bytes);
        page = NodePage(buffer.begin(), k_node_bytes);
        page.initialise(k_owner, level, 2);
        return {};
    }
    void add_child(Bytes key, const NodePointer& pointer)
    {
        DiskNodePointer disk;
        pointer.encode(disk);
        page.insert(page.count(), key, bytes_of(disk));
    }
    Vector<u8> buffer;
    NodePage page;
};

Status put_leaf(Ground& ground, u32 first, u32 last, NodePointer& pointer)
{
    Draft leaf;
    TRY(leaf.start(0));
    leaf.page.insert(0, ground.key(first), ground.value(first, 10));
    if (last != first)
        leaf.page.insert(1, ground.key(last), ground.value(last, 10));
    return ground.put_node(leaf.page, pointer);
}

// Leaves of the keys 0 and 100, 200 and 300, 400 and 500, under a root whose separators are as given.
Status put_tree(Ground& ground, u32 second, u32 third, NodePointer& pointer)
{
    Draft root;
    TRY(root.start(1));
    const u32 separators[] = { 0, second, third };
    for (u32 i = 0; i < 3; i++) {
        NodePointer leaf;
        TRY(put_leaf(ground, 200 * i, 200 * i + 100, leaf));
        root.add_child(i ? ground.key(separators[i]) : Bytes(), leaf);
    }
    return ground.put_node(root.page, pointer);
}

struct Separators {
    const char* name;
    u32 second, third;
    u32 bad; // a key of the leaf that does not fit
    u32 good;
};
constexpr Separators k_separators[] = {
    { "second_too_high", 250, 400, 300, 400 },
    { "third_too_high", 200, 450, 500, 300 },
    { "second_too_low", 50, 400, 0, 400 },
    { "third_too_low", 200, 250, 200, 0 },
};

}

static void separators(Test& test)
{
    for (const Separators& row : k_separators) {
        Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
        REQUIRE_OK(ground->start(Keys::numbers));
        NodePointer pointer;
        REQUIRE_OK(put_tree(*ground, row.second, row.third, pointer));
        REQUIRE_OK(ground->reload(pointer));
        Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
        CHECK_ERROR(ground->tree->find(ground->key(row.bad), *cursor), node_damaged);
        CHECK_ERROR(ground->tree->seek(ground->key(row.bad), *cursor), node_damaged);
        CHECK_ERROR(ground->tree->seek_at_most(ground->key(row.bad), *cursor), node_damaged);
        CHECK_ERROR(ground->tree->prepare_insert(TxgId(3), ground->key(row.bad), 10), node_damaged);
        CHECK_ERROR(ground->tree->prepare_change(TxgId(3), ground->key(row.bad)), node_damaged);
        CHECK(REQUIRE_VALUE(ground->tree->find(ground->key(row.good), *cursor)));
        // The sound ones can be changed; what is written then is no worse than before.
        REQUIRE_OK(ground->tree->prepare_insert(TxgId(3), ground->key(row.good), 20));
        CHECK(ground->tree->update(ground->key(row.good), ground->value(9, 20)));
        CHECK(REQUIRE_VALUE(ground->tree->find(ground->key(row.good), *cursor)));
        CHECK_ERROR(ground->tree->find(ground->key(row.bad), *cursor), node_damaged);
    }
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::numbers));
    NodePointer pointer;
    // As low and as high as can be.
    REQUIRE_OK(put_tree(*ground, 101, 400, pointer));
    REQUIRE_OK(ground->reload(pointer));
    Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
    u32 items = 0;
    for (bool more = REQUIRE_VALUE(ground->tree->seek(ground->key(0), *cursor)); more; items++)
        more = REQUIRE_VALUE(ground->tree->next(*cursor));
    CHECK_EQ(items, 6u);
}

// A node of one child has no key of its own that would give it away.
static void named_twice(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::numbers));
    NodePointer leaf, middle, top;
    REQUIRE_OK(put_leaf(*ground, 0, 100, leaf));
    Draft draft;
    REQUIRE_OK(draft.start(1));
    draft.add_child(Bytes(), leaf);
    REQUIRE_OK(ground->put_node(draft.page, middle));
    REQUIRE_OK(draft.start(2));
    draft.add_child(Bytes(), middle);
    draft.add_child(ground->key(150), middle);
    REQUIRE_OK(ground->put_node(draft.page, top));
    REQUIRE_OK(ground->reload(top));
    REQUIRE_OK(ground->tree->prepare_change(TxgId(3), ground->key(0)));
    CHECK_ERROR(ground->tree->prepare_change(TxgId(3), ground->key(200)), node_damaged);
    CHECK_ERROR(ground->tree->prepare_insert(TxgId(3), ground->key(200), 10), node_damaged);
    CHECK(ground->tree->remove(TxgId(3), ground->key(0)));
    Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
    CHECK(REQUIRE_VALUE(ground->tree->find(ground->key(100), *cursor)));
}

static void heights(Test& test)
{
    NodePointer pointer;
    pointer.copies = 1;
    pointer.size_bytes = k_node_bytes;
    pointer.dva[0] = { 1000, k_node_bytes / k_block_size, VdevId(0) };
    pointer.birth = TxgId(2);
    pointer.checksum_kind = ChecksumKind::xxh64;
    for (u32 level = 0; level < 256; level++) {
        pointer.level = static_cast<u8>(level);
        DiskNodePointer disk;
        pointer.encode(disk);
        CHECK_EQ(NodePointer::decode(disk).error(), level < k_max_tree_height ? Error::none : Error::node_damaged);
    }
}

static void absent(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::numbers));
    Tree& tree = *ground->tree;
    REQUIRE_OK(tree.prepare_change(TxgId(2), ground->key(1)));
    CHECK(!tree.remove(TxgId(2), ground->key(1)) && !tree.update(ground->key(1), ground->value(1, 5)));
    CHECK(!tree.insert(ground->key(1), ground->value(1, 5))); // nothing was prepared
    for (u32 k = 0; k < k_keys; k += 2)
        REQUIRE_OK(ground->change(TxgId(2), k, false));
    for (u32 k = 1; k < k_keys; k += 2) {
        REQUIRE_OK(tree.prepare_change(TxgId(2), ground->key(k)));
        CHECK(!tree.remove(TxgId(2), ground->key(k)));
        CHECK(!tree.update(ground->key(k), ground->value(1, 5)));
    }
    CHECK(ground->is_model());
    // A key that was thought absent gets the new value, once.
    REQUIRE_OK(tree.prepare_insert(TxgId(2), ground->key(4), 30));
    CHECK(!tree.insert(ground->key(4), ground->value(8, 30)));
    ground->model.size_plus_1[4] = 31;
    ground->model.seed[4] = 8;
    CHECK(ground->is_model());
}

// Nodes that were made and never written count until their tree goes, and no longer.
static void never_written(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::texts));
    for (u32 k = 0; k < k_keys; k++)
        REQUIRE_OK(ground->change(TxgId(2), k, false));
    REQUIRE_OK(ground->write(TxgId(2), ground->tree->version()));
    ground->tree->settle(ground->written);
    CHECK_EQ(ground->context->dirty_bytes.load(), 0u);
    for (u32 k = 0; k < k_keys; k += 100)
        REQUIRE_OK(ground->change(TxgId(3), k, false));
    CHECK(ground->context->dirty_bytes.load() >= 10 * k_node_bytes);
    ground->tree.reset();
    CHECK_EQ(ground->context->dirty_bytes.load(), 0u);
}

// What may stand inline counts as its page; what may not, as the node that will be written.
static void charges(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::numbers));
    for (u32 k = 0; k < 40; k++) { // 62 bytes each
        REQUIRE_OK(ground->tree->prepare_insert(TxgId(2), ground->key(k), 50));
        ground->tree->insert(ground->key(k), ground->value(k, 50));
        CHECK(ground->context->dirty_bytes.load() < k_node_bytes);
    }
    CHECK(TreeWriter::is_inline(ground->tree->version(), k_inline_root_bytes));
    REQUIRE_OK(ground->tree->prepare_insert(TxgId(2), ground->key(k_keys - 1), 200));
    CHECK_EQ(ground->context->dirty_bytes.load(), k_node_bytes);
    Box<Tree> table = REQUIRE_VALUE(make_box<Tree>(*ground->context, TreeOwner { TreeKind::objects, 1, 0 }, Must::may_fail));
    REQUIRE_OK(table->prepare_insert(TxgId(2), ground->key(0), 8));
    CHECK_EQ(ground->context->dirty_bytes.load(), 2 * k_node_bytes);
}

namespace {
constexpr TestCase k_cases[] = { { "separators", separators },
                                 { "named_twice", named_twice },
                                 { "heights", heights },
                                 { "absent", absent },
                                 { "never_written", never_written },
                                 { "charges", charges } };
}
LCPFS_SUITE(tree_lies, k_cases);

}
