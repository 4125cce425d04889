// SPDX-License-Identifier: GPL-2.0-only
// One directory's tree of names: finding a spot, adding, removing, redirecting. Under the directory's lock.
#pragma once

#include "core/dataset/dataset.h"
#include "core/object/name.h"

namespace lcpfs {

struct NameSpot {
    bool found { false };
    u64 cookie { 0 };   // of the name, or the one a new name gets
    ObjectId object;
    u8 type { 0 };
};

// Where `text` is, or would go. no_space when 128 names share its hash; not_directory.
Status find_name(Object& directory, Bytes text, NameSpot& spot);

Status prepare_add_name(Object& directory, TxgId txg, const NameSpot& spot, Bytes text);
void add_name(Object& directory, const NameSpot& spot, Bytes text, ObjectId object, u8 type);
Status prepare_remove_name(Object& directory, TxgId txg, const NameSpot& spot);
void remove_name(Object& directory, TxgId txg, const NameSpot& spot, Bytes text);
// Lets a name, prepared by prepare_remove_name, name another object.
void redirect_name(Object& directory, const NameSpot& spot, Bytes text, ObjectId object, u8 type);

}
