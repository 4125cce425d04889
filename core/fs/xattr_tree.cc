// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/xattr_tree.h"

namespace lcpfs {

namespace {

// The item at the cursor, when it is one of this name's.
Result<bool> item_of(const TreeCursor& cursor, Bytes name, XattrPart& part)
{
    part = TRY(XattrPart::decode(cursor.key(), cursor.value()));
    return equal(part.name, name);
}

// One key on the stack at a time.
[[gnu::noinline]] Status prepare_removal(Tree& tree, TxgId txg, Bytes name, const XattrSpot& spot)
{
    for (u32 part = 0; part < spot.parts(); part++)
        TRY(tree.prepare_change(txg, XattrKey(name, spot.generation, part).bytes()));
    return {};
}

[[gnu::noinline]] Status remove_parts(Tree& tree, TxgId txg, Bytes name, u8 generation, u32 parts)
{
    for (u32 part = 0; part < parts; part++)
        if (!tree.remove(txg, XattrKey(name, generation, part).bytes()))
            return Error::contradiction;
    return {};
}

[[gnu::noinline]] Status insert_part(Tree& tree, TxgId txg, const XattrPart& item, Bytes value, XattrScratch& scratch)
{
    const XattrKey key(item.name, item.generation, item.part);
    const u32 bytes = encode_xattr_part(value, item.part, scratch.item);
    TRY(tree.prepare_insert(txg, key.bytes(), bytes));
    tree.insert(key.bytes(), { scratch.item, bytes });
    return {};
}

}

// The first item of the name, whose generation is not known.
Status find_xattr(Tree& tree, Bytes name, XattrSpot& spot)
{
    spot = XattrSpot();
    TreeCursor cursor;
    if (!TRY(tree.seek(XattrKey(name, 0, 0).bytes(), cursor)))
        return {};
    XattrPart part;
    if (!TRY(item_of(cursor, name, part)))
        return {};
    VERIFY_DISK(part.part == 0, xattr_damaged);
    spot = { true, part.generation, part.value_bytes };
    // All parts have to be there before anything is done with them: a removal that has begun cannot fail.
    XattrSequence sequence;
    TRY(sequence.take(part));
    while (!sequence.is_whole()) {
        VERIFY_DISK(TRY(tree.next(cursor)) && TRY(item_of(cursor, name, part)), xattr_damaged);
        TRY(sequence.take(part));
    }
    return {};
}

Status read_xattr(Tree& tree, Bytes name, const XattrSpot& spot, u8* out)
{
    TreeCursor cursor;
    XattrPart part;
    VERIFY_DISK(TRY(tree.seek(XattrKey(name, spot.generation, 0).bytes(), cursor)), xattr_damaged);
    for (u32 i = 0; i < spot.parts(); i++) {
        VERIFY_DISK(i == 0 || TRY(tree.next(cursor)), xattr_damaged);
        VERIFY_DISK(TRY(item_of(cursor, name, part)) && part.part == i && part.value_bytes == spot.value_bytes, xattr_damaged);
        copy_bytes(out + size_t(i) * k_xattr_part_bytes, part.bytes.data(), part.bytes.size());
    }
    return {};
}

Status replace_xattr(Tree& tree, TxgId txg, Bytes name, const XattrSpot& spot, Bytes value, XattrScratch& scratch)
{
    const u32 parts = xattr_parts(static_cast<u32>(value.size()));
    if (parts == 1 && spot.parts() <= 1) // one item gives way to another
        return insert_part(tree, txg, { name, spot.generation, 0, 0, {} }, value, scratch);
    TRY(prepare_removal(tree, txg, name, spot));
    const u8 generation = spot.found ? spot.generation ^ k_xattr_generation : 0;
    for (u32 part = 0; part < parts; part++) {
        const Status status = insert_part(tree, txg, { name, generation, part, 0, {} }, value, scratch);
        if (status.is_error()) {
            // Their leaves are this group's own and in memory.
            TRY(remove_parts(tree, txg, name, generation, part));
            return status;
        }
    }
    return remove_parts(tree, txg, name, spot.generation, spot.parts());
}

Status remove_xattr(Tree& tree, TxgId txg, Bytes name, const XattrSpot& spot)
{
    TRY(prepare_removal(tree, txg, name, spot));
    return remove_parts(tree, txg, name, spot.generation, spot.parts());
}

Status erase_xattrs(Object& object, TxgId txg, u32 most, bool& finished)
{
    finished = true;
    if (!object.has_xattrs())
        return {};
    Tree& tree = object.m_xattrs->tree;
    u8 key[k_max_key_bytes];
    for (u32 i = 0; i < most; i++) {
        TreeCursor cursor;
        __builtin_memset(key, 0xff, sizeof(key));
        finished = !TRY(tree.seek_at_most({ key, sizeof(key) }, cursor));
        if (finished)
            return {};
        const size_t bytes = cursor.key().size();
        copy_bytes(key, cursor.key().data(), bytes);
        cursor.reset();
        TRY(tree.prepare_change(txg, { key, bytes }));
        if (!tree.remove(txg, { key, bytes }))
            return Error::contradiction;
    }
    finished = tree.is_empty();
    return {};
}

}
