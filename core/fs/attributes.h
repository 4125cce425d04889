// SPDX-License-Identifier: GPL-2.0-only
// An object's attributes, and making an object durable.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

void get_attributes(Object& object, core_attr& out);
// invalid: a time is none.
Status check_attributes(const core_attr& attributes, unsigned mask);
// Whether that changes anything.
bool apply_attributes(ObjectAttributes& to, const core_attr& attributes, unsigned mask);
// `mask`: CORE_SET_*. The type bits of the mode stay. Where everything is so already, nothing is done.
Status set_attributes(Pool& pool, Object& object, const core_attr& attributes, unsigned mask);
// Makes durable everything done so far, on whatever object, by the intent log; without one waits until the object's group
// has committed.
Status sync_object(Pool& pool, Object& object);
// False once it has been deleted.
bool is_live(Object& object);

}
