// SPDX-License-Identifier: GPL-2.0-only
// Making an object that gets its name, or its first, in the same group: creating, and the whiteouts that renaming leaves.
#pragma once

#include "core/fs/names.h"

namespace lcpfs {

// What a new object's content is built in, where it has some. Had before any lock is taken.
struct NewScratch {
    NewScratch(Pool& pool, const NewObject& how) : target(pool, !how.target.is_empty()) {}
    Status make(const NewObject& how)
    {
        if (!how.xattrs.is_empty())
            xattrs = TRY(make_box<XattrScratch>());
        return {};
    }
    Scratch target;
    Box<XattrScratch> xattrs;
};

// What has to be promised for making it and giving it a name.
inline u64 units_of_new(Pool& pool, const NewObject& how) { return xattr_units(pool, parts_of(how.xattrs)); }

inline Result<Ref<Object>> make_object(Dataset& dataset, const NewObject& how)
{
    return how.id.value() ? dataset.make_again(how.mode, how.id) : dataset.make(how.mode);
}

inline u64 generation_of_new(const Object& object, const NewObject& how)
{
    return how.generation ? how.generation : object.dataset().generation_for(object.id());
}

// A fresh object, dirty in `txg`, its content in place. Only we know it. The last thing that may fail: what is dirty and has no name
// would be an object that nothing leads to.
Status fill_new(Object& object, Object& directory, const NewObject& how, TxgId txg, NewScratch& scratch);

}
