// SPDX-License-Identifier: GPL-2.0-only
// Which files a repair could not save whole, by their paths.
#pragma once

#include <string>
#include <vector>

#include "core/repair/repair.h"

namespace lcpfs::tool {

// One line each, of a repaired pool. Not 0: it cannot be opened or walked.
int print_losses(const std::vector<std::string>& devices, const Vector<HurtObject>& hurt);

}
