// SPDX-License-Identifier: GPL-2.0-only
// The verbs of lcpfs(8): each takes its own arguments, its name first, and gives the exit code.
#pragma once

#include <string>
#include <vector>

#include "userspace/common/pools.h"

namespace lcpfs::tool {

enum Exit { k_success = 0, k_failure = 1, k_usage_error = 2 };

int scan_verb(int argc, char** argv);
int status_verb(int argc, char** argv);
int dump_verb(int argc, char** argv);
int check_verb(int argc, char** argv);
int dataset_verb(int argc, char** argv);
int partition_verb(int argc, char** argv);
int path_verb(int argc, char** argv);
int log_verb(int argc, char** argv);
int list_verb(int argc, char** argv);
int df_verb(int argc, char** argv);
int iostat_verb(int argc, char** argv);
int tune_verb(int argc, char** argv);
int events_verb(int argc, char** argv);
int version_verb(int argc, char** argv);

}
