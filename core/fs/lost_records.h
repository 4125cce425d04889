// SPDX-License-Identifier: GPL-2.0-only
// Saying which operations are lost when acknowledged frames of the intent log are missing.
#pragma once

#include "core/fs/replay.h"

namespace lcpfs {

// One line in the log for each operation that can still be told, the first 32 of them, and how many there are beyond.
void say_lost_records(Pool& pool, LogReader& reader, TxgId committed);

}
