// SPDX-License-Identifier: GPL-2.0-only
// Trees against a plain array, over many groups: what a closed group's version holds must not change any more, whatever
// the next one does, and must be what is read back from disk.
#include "core/test/tree_ground.h"

namespace lcpfs {

using namespace tree_test;

static void check_cursor(Test& test, Ground& ground, TreeCursor& cursor, u32 k)
{
    auto exact = ground.tree->find(ground.key(k), cursor);
    REQUIRE_OK(exact);
    REQUIRE_EQ(exact.value(), ground.model.has(k));
    if (exact.value())
        REQUIRE(ground.is_item(ground.model, k, cursor.key(), cursor.value()));
    auto above = ground.tree->seek(ground.key(k), cursor);
    u32 wanted = ground.model.at_least(k);
    REQUIRE_OK(above);
    REQUIRE_EQ(above.value(), wanted < k_keys);
    if (above.value()) {
        REQUIRE(ground.is_item(ground.model, wanted, cursor.key(), cursor.value()));
        auto next = ground.tree->next(cursor);
        wanted = ground.model.at_least(wanted + 1);
        REQUIRE_OK(next);
        REQUIRE_EQ(next.value(), wanted < k_keys);
        if (next.value())
            REQUIRE(ground.is_item(ground.model, wanted, cursor.key(), cursor.value()));
    }
    auto below = ground.tree->seek_at_most(ground.key(k), cursor);
    wanted = ground.model.at_most(k);
    REQUIRE_OK(below);
    REQUIRE_EQ(below.value(), wanted < k_keys);
    if (below.value())
        REQUIRE(ground.is_item(ground.model, wanted, cursor.key(), cursor.value()));
}

static void check_cursors(Test& test, Ground& ground)
{
    Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
    for (u32 i = 0; i < 40; i++)
        check_cursor(test, ground, *cursor, ground.random(k_keys));
}

// Changes and reads near each other, as an operation under its object's lock makes them; now and then one far away.
static void change_near(Test& test, Ground& ground, TxgId txg, u32 changes, u32 removals)
{
    Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
    while (changes > 0) {
        TreeFocus focus(*ground.tree);
        const u32 base = ground.random(k_keys), some = min(changes, 1 + ground.random(16));
        for (u32 i = 0; i < some && !test.failed(); i++) {
            const u32 k = ground.random(8) ? (base + ground.random(12)) % k_keys : ground.random(k_keys);
            if (ground.random(2))
                check_cursor(test, ground, *cursor, (k + ground.random(5)) % k_keys);
            REQUIRE_OK(ground.change(txg, k, ground.random(10) < removals));
            if (ground.random(3) == 0)
                check_cursor(test, ground, *cursor, (k + ground.random(5)) % k_keys);
        }
        changes -= some;
    }
}

static void change_some(Test& test, Ground& ground, TxgId txg, u32 changes, u32 removals)
{
    if (ground.is_focused)
        return change_near(test, ground, txg, changes, removals);
    for (u32 i = 0; i < changes; i++)
        REQUIRE_OK(ground.change(txg, ground.random(k_keys), ground.random(10) < removals));
}

// Group T is closed; T+1 changes while T's version is written.
static void one_group(Test& test, Ground& ground, TxgId txg, u32 group)
{
    const u32 removals = group % 8 < 4 ? 3 : 8; // of 10
    const u32 changes = group % 3 == 2 ? 10 : 240;
    change_some(test, ground, txg, changes / 2, removals);
    const TreeVersion version = ground.tree->version();
    ground.closed = ground.model;
    change_some(test, ground, txg.next(), changes, removals);
    REQUIRE(ground.is_version(version, ground.closed));
    REQUIRE_OK(ground.write(txg, version));
    change_some(test, ground, txg.next(), changes / 2, removals);
    REQUIRE(ground.is_version(version, ground.closed));
    ground.tree->settle(ground.written);
    REQUIRE(ground.is_version(version, ground.closed));
    REQUIRE(ground.is_version({ Ref<Node>(), ground.pointer }, ground.closed));
    REQUIRE(ground.is_model());
    check_cursors(test, ground);
}

static void random_groups(Test& test, Keys keys, bool is_focused = false)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(keys));
    ground->is_focused = is_focused;
    TxgId txg(2);
    u32 highest = 0;
    for (u32 group = 0; group < 16; group++) {
        one_group(test, *ground, txg, group);
        if (test.failed())
            return;
        highest = max<u32>(highest, ground->pointer.level);
        if (group % 5 == 4) {
            // Everything on disk, and from there again.
            txg = txg.next();
            const TreeVersion version = ground->tree->version();
            REQUIRE_OK(ground->write(txg, version));
            ground->tree->settle(ground->written);
            CHECK_EQ(ground->context->dirty_bytes.load(), 0u);
            REQUIRE_OK(ground->reload(ground->pointer));
            REQUIRE(ground->is_model());
        }
        txg = txg.next();
    }
    CHECK(highest >= (keys == Keys::long_texts ? 2u : 1u));
    CHECK(ground->divisions > 0);
    for (u32 k = 0; k < k_keys; k++)
        REQUIRE_OK(ground->change(txg, k, true));
    CHECK(ground->tree->is_empty());
    CHECK(ground->is_model());
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_OK(ground->write(txg, ground->tree->version()));
        ground->tree->settle(ground->written);
        txg = txg.next();
    }
    CHECK(ground->pointer.is_null());
    CHECK_EQ(ground->context->dirty_bytes.load(), 0u);
    CHECK_EQ(ground->used_blocks(), 0u);
    CHECK_EQ(ground->allocator->counts().deferred_blocks, 0u);
}

static void numbers(Test& test) { random_groups(test, Keys::numbers); }
static void texts(Test& test) { random_groups(test, Keys::texts); }
static void focused(Test& test) { random_groups(test, Keys::numbers, true); }
static void focused_texts(Test& test) { random_groups(test, Keys::long_texts, true); }

static void long_texts(Test& test) { random_groups(test, Keys::long_texts); }

// Rising and falling keys: splits at the end and at the front; then taken away from the other side.
static void in_order(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::long_texts));
    for (u32 way = 0; way < 4; way++) {
        const TxgId txg(way + 2);
        for (u32 i = 0; i < k_keys; i++)
            REQUIRE_OK(ground->change(txg, way & 1 ? i : k_keys - 1 - i, false));
        REQUIRE(ground->is_model());
        for (u32 i = 0; i < k_keys; i++)
            REQUIRE_OK(ground->change(txg, way & 2 ? i : k_keys - 1 - i, true));
        REQUIRE(ground->tree->is_empty());
        CHECK_EQ(ground->context->dirty_bytes.load(), 0u);
    }
}

static void inline_roots(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::texts));
    for (u32 k = 0; k < 10; k++) {
        REQUIRE_OK(ground->tree->prepare_insert(TxgId(2), ground->key(k), k));
        ground->tree->insert(ground->key(k), ground->value(k, k));
        ground->model.size_plus_1[k] = static_cast<u16>(k + 1);
        ground->model.seed[k] = k;
    }
    const TreeVersion version = ground->tree->version();
    REQUIRE(TreeWriter::is_inline(version, k_inline_root_bytes));
    Vector<u8> items;
    REQUIRE_OK(items.resize(k_inline_root_bytes + 1));
    const u32 bytes = TreeWriter::encode_inline(version, items.span());
    CHECK_EQ(bytes, TreeWriter::inline_bytes(version.root->page()));
    REQUIRE_OK(ground->reload(NodePointer()));
    REQUIRE_OK(ground->tree->start_from_inline({ items.begin(), bytes }));
    CHECK(ground->is_model());
    // Cut off anywhere, or longer, it is damage.
    for (u32 cut = 0; cut <= bytes + 1; cut++) {
        Box<Tree> tree = REQUIRE_VALUE(make_box<Tree>(*ground->context, k_owner, Must::may_fail));
        if (cut != bytes)
            REQUIRE_EQ(tree->start_from_inline({ items.begin(), cut }).error(), Error::record_damaged);
    }
    // Any byte may say anything: an error or a tree, nothing else.
    for (u32 at = 0; at < bytes; at++) {
        Box<Tree> tree = REQUIRE_VALUE(make_box<Tree>(*ground->context, k_owner, Must::may_fail));
        const u8 kept = items[at];
        items[at] ^= static_cast<u8>(1 + ground->random(255));
        Status status = tree->start_from_inline({ items.begin(), bytes });
        items[at] = kept;
        CHECK(status.is_ok() || status.error() == Error::record_damaged);
    }
}

// ---- what a device may hold instead of a node

namespace {

struct Damage {
    const char* name;
    // Changes the root page, of level 1 with two children, before it is sealed, or the pointer to it.
    void (*spoil)(NodePage& root, DiskNodePointer* children, NodePointer& pointer);
    Error expected;
};

constexpr Damage k_damages[] = {
    { "none", [](NodePage&, DiskNodePointer*, NodePointer&) {}, Error::none },
    { "child_level", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].level = 1; }, Error::node_damaged },
    { "child_level_wrong_both", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].level = 3; }, Error::node_damaged },
    { "child_null", [](NodePage&, DiskNodePointer* c, NodePointer&) { zero_bytes(&c[1], sizeof(c[1])); }, Error::node_damaged },
    { "child_copies", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].copies = 4; }, Error::node_damaged },
    { "child_size", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].size_bytes.set(32768); }, Error::node_damaged },
    { "child_length", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].dva[0].length_blocks.set(3); }, Error::node_damaged },
    { "child_encoding", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].encoding = 1; }, Error::node_damaged },
    { "child_birth", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].birth_txg.set(77); }, Error::node_identity },
    { "child_no_birth", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].birth_txg.set(0); }, Error::node_damaged },
    { "child_checksum", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].checksum[0] ^= 1; }, Error::node_checksum },
    { "child_checksum_kind", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].checksum_kind = 9; }, Error::node_damaged },
    { "child_outside", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].dva[0].block.set(1ull << 60); },
      Error::address_out_of_range },
    { "child_device", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].dva[0].vdev.set(7); }, Error::address_out_of_range },
    { "child_is_bitmap", [](NodePage&, DiskNodePointer* c, NodePointer&) { c[1].dva[0].block.set(k_first_metaslab_block); },
      Error::address_out_of_range },
    { "kind", [](NodePage& r, DiskNodePointer*, NodePointer&) { r.header().kind = static_cast<u8>(TreeKind::extents); },
      Error::node_identity },
    { "object", [](NodePage& r, DiskNodePointer*, NodePointer&) { r.header().object.set(78); }, Error::node_identity },
    { "magic", [](NodePage& r, DiskNodePointer*, NodePointer&) { r.header().magic.set(1); }, Error::node_damaged },
    { "count", [](NodePage& r, DiskNodePointer*, NodePointer&) { r.header().item_count.set(0xffff); }, Error::node_damaged },
    { "empty", [](NodePage& r, DiskNodePointer*, NodePointer&) { r.header().item_count.set(0); }, Error::node_damaged },
    { "root_size", [](NodePage&, DiskNodePointer*, NodePointer& p) { p.size_bytes = 32768; }, Error::node_damaged },
    { "root_birth", [](NodePage&, DiskNodePointer*, NodePointer& p) { p.birth = TxgId(9); }, Error::node_identity },
    { "root_level", [](NodePage&, DiskNodePointer*, NodePointer& p) { p.level = 2; }, Error::node_identity },
    { "root_outside", [](NodePage&, DiskNodePointer*, NodePointer& p) { p.dva[0].block = 5; }, Error::address_out_of_range },
};

Status make_damaged(Ground& ground, const Damage& damage, NodePointer& pointer)
{
    Vector<u8> buffer;
    TRY(buffer.resize(k_node_bytes));
    NodePage page(buffer.begin(), k_node_bytes);
    DiskNodePointer children[2];
    for (u32 i = 0; i < 2; i++) {
        zero_bytes(buffer.begin(), k_node_bytes);
        page.initialise(k_owner, 0, 2);
        page.insert(0, ground.key(i * 100), ground.value(i, 10));
        TRY(ground.put_node(page, pointer));
        pointer.encode(children[i]);
    }
    zero_bytes(buffer.begin(), k_node_bytes);
    page.initialise(k_owner, 1, 2);
    // What it spoils is one of the three; the other two are thrown away.
    damage.spoil(page, children, pointer);
    page.initialise(k_owner, 1, 2);
    page.insert(0, Bytes(), bytes_of(children[0]));
    page.insert(1, ground.key(100), bytes_of(children[1]));
    DiskNodePointer unused[2];
    damage.spoil(page, unused, pointer);
    TRY(ground.put_node(page, pointer));
    damage.spoil(page, unused, pointer);
    return {};
}

}

static void damaged(Test& test, const Damage& damage)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(Keys::numbers));
    NodePointer pointer;
    REQUIRE_OK(make_damaged(*ground, damage, pointer));
    REQUIRE_OK(ground->reload(pointer));
    Box<TreeCursor> cursor = REQUIRE_VALUE(make_box<TreeCursor>());
    CHECK_EQ(ground->tree->find(ground->key(100), *cursor).error(), damage.expected);
    CHECK_EQ(ground->tree->seek(ground->key(50), *cursor).error(), damage.expected);
    CHECK_EQ(ground->tree->seek_at_most(ground->key(150), *cursor).error(), damage.expected);
    CHECK_EQ(ground->tree->prepare_insert(TxgId(3), ground->key(150), 10).error(), damage.expected);
    CHECK_EQ(ground->tree->prepare_change(TxgId(3), ground->key(100)).error(), damage.expected);
    // What is beside it can be read.
    if (damage.name[0] == 'c' && damage.name[1] == 'h')
        CHECK(ground->tree->find(ground->key(0), *cursor).is_ok());
}
LCPFS_TABLE_SUITE(tree_damage, k_damages, damaged);

namespace {
constexpr TestCase k_cases[] = { { "numbers", numbers },
                                 { "texts", texts },
                                 { "long_texts", long_texts },
                                 { "focused", focused },
                                 { "focused_texts", focused_texts },
                                 { "in_order", in_order },
                                 { "inline_roots", inline_roots } };
}
LCPFS_SUITE(tree, k_cases);

}
