// SPDX-License-Identifier: GPL-2.0-only
// What `torture differ` compares trees and files by.
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "userspace/torture/torture.h"

namespace torture {

uint64_t hash_of(const void* data, size_t bytes);
// Of what two filesystems have to agree on.
uint64_t hash_of_status(const struct stat& status);
// Fails unless names, types, attributes and contents below the two are the same.
void compare_trees(int root, int other);
// Fails unless all that SEEK_HOLE calls a hole reads as zeros and the two kinds alternate. 1 when it is a file with data.
long check_holes(int fd);

}
