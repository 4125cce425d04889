// SPDX-License-Identifier: GPL-2.0-only
// Where the core's messages go in userspace: stderr, at or above a level; a sink may take them instead.
#pragma once

#include "core/host/host.h"

namespace lcpfs {

void host_log_set_level(host_log_level least_important);
// `sink` gets every message whatever the level; nullptr restores stderr.
void host_log_set_sink(void (*sink)(void* context, host_log_level level, const char* text), void* context);

}
