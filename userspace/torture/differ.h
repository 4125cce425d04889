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
// differ_xattr.cc: of what `name` in a directory has as extended attributes, ACLs among them, in whatever order they are listed.
uint64_t hash_of_xattrs(int directory, const char* name);
// Sets, gets, lists, removes an attribute or an ACL, as `number` has it; errno as the call left it.
long call_xattr(int directory, const char* name, uint64_t number, const uint8_t* data, size_t bytes, uint64_t& content);
// differ_clone.cc: whether files in a directory can share blocks.
bool can_clone(int directory);
// Clones a file or a range of one, or makes one of two that are the same, as `number` has it; errno as the call left it.
long call_clone(int from, int to, uint64_t number, uint64_t offset, uint64_t length, uint64_t& content);

// Fails unless names, types, attributes and contents below the two are the same.
void compare_trees(int root, int other);
// Fails unless all that SEEK_HOLE calls a hole reads as zeros and the two kinds alternate. 1 when it is a file with data.
long check_holes(int fd);

}
