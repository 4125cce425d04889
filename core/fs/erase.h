// SPDX-License-Identifier: GPL-2.0-only
// Freeing what destroyed datasets hold: object after object, each over as many groups as it takes, with promises from the
// reserve for removals, so that it works in a full pool. The record of an object goes when all it had is free; the dataset's, when
// its last object is gone, in the same group. A crash leaves the rest, and the next mount for writing goes on.
//
// What cannot be read cannot be freed. It is passed over and told, and the dataset stays until the next mount tries again.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

// The body of the pool's background thread.
void erase_datasets(Pool& pool);

}
