// SPDX-License-Identifier: GPL-2.0-only
// Every way lcpfs can fail: one row each with a name, the errno a program sees, and what a person reads.
//
// A failure site uses the most exact row; `errno_of` is applied once, in core/api. Numbers are stable:
// they appear in events and logs. Disk damage of metadata is EUCLEAN, of file data EIO (spec/filesystem.md).
#pragma once

#include "core/base/types.h"

namespace lcpfs {

//    name, number, Linux errno, text
#define LCPFS_ERRORS(X)                                                                         \
    X(no_memory, 1, 12, "out of memory")                                                        \
    X(not_found, 2, 2, "no such entry")                                                         \
    X(exists, 3, 17, "already exists")                                                          \
    X(not_directory, 4, 20, "not a directory")                                                  \
    X(is_directory, 5, 21, "is a directory")                                                    \
    X(not_empty, 6, 39, "directory not empty")                                                  \
    X(invalid, 7, 22, "invalid argument")                                                       \
    X(name_too_long, 8, 36, "name too long")                                                    \
    X(no_space, 9, 28, "no space left in the pool")                                             \
    X(read_only, 10, 30, "the pool is read-only")                                               \
    X(too_many_links, 11, 31, "too many links")                                                 \
    X(file_too_large, 12, 27, "file too large")                                                 \
    X(not_permitted, 13, 1, "operation not permitted")                                          \
    X(cross_dataset, 14, 18, "objects lie in different datasets")                               \
    X(not_supported, 15, 95, "not supported")                                                   \
    X(busy, 16, 16, "in use")                                                                   \
    X(stale_handle, 17, 116, "the object behind this handle is gone")                           \
    X(range, 18, 34, "result does not fit the buffer")                                          \
    X(no_data, 19, 61, "no such attribute")                                                     \
    X(shut_down, 20, 5, "the pool was shut down")                                               \
    X(frozen, 21, 30, "the pool was frozen read-only after an error")                           \
    X(xattr_too_large, 24, 7, "value of an attribute too large")                                \
    X(log_pending, 22, 30, "the intent log has to be replayed first")                           \
    X(log_opcode, 23, 95, "the intent log holds an operation this version does not know")       \
    X(io_error, 30, 5, "device I/O error")                                                      \
    X(io_medium, 31, 5, "device medium error")                                                  \
    X(io_not_supported, 32, 95, "device does not support the operation")                        \
    X(io_no_space, 33, 28, "device reports no space")                                           \
    X(io_target, 34, 121, "device target error")                                                \
    X(io_reservation, 35, 52, "device reservation conflict")                                    \
    X(io_protection, 36, 84, "device protection error")                                         \
    X(io_transport, 37, 67, "device transport error")                                           \
    X(io_timeout, 38, 110, "device timeout")                                                    \
    X(io_offline, 39, 19, "device offline")                                                     \
    X(no_usable_path, 40, 5, "no usable path to the device")                                    \
    X(path_other_disk, 41, 22, "the device carries the identity of another, but is not the same disk: a copy?") \
    X(writes_lost, 42, 5, "a flush failed, and what was written before it may be lost")         \
    X(data_checksum, 50, 5, "file data does not match its checksum")                            \
    X(node_checksum, 51, 117, "metadata node does not match its checksum")                      \
    X(node_damaged, 52, 117, "metadata node is malformed")                                      \
    X(node_identity, 53, 117, "metadata node belongs elsewhere")                                \
    X(address_out_of_range, 54, 117, "block address outside its device")                        \
    X(record_damaged, 55, 117, "object record is malformed")                                    \
    X(extent_damaged, 56, 117, "extent record is malformed")                                    \
    X(dirent_damaged, 57, 117, "directory entry is malformed")                                  \
    X(bitmap_damaged, 58, 117, "allocation bitmap does not match its table entry")              \
    X(metaslab_entry_damaged, 59, 117, "metaslab table entry is malformed")                     \
    X(dataset_damaged, 60, 117, "dataset record is malformed")                                  \
    X(partition_damaged, 61, 117, "partition record is malformed")                              \
    X(xattr_damaged, 62, 117, "extended attribute is malformed")                                \
    X(share_damaged, 63, 117, "share table entry is malformed")                                 \
    X(log_damaged, 64, 117, "a record of the intent log is malformed")                          \
    X(log_missing, 65, 117, "acknowledged frames of the intent log are missing or damaged")     \
    X(log_replay, 66, 117, "a record of the intent log does not fit the tree it applies to")    \
    X(label_not_lcpfs, 70, 22, "no lcpfs label on the device")                                  \
    X(label_damaged, 71, 117, "lcpfs label is damaged")                                         \
    X(label_version, 72, 22, "lcpfs label of an unknown version")                               \
    X(feature_unknown, 73, 22, "the pool uses features this version does not know")             \
    X(device_missing, 74, 6, "a device of the pool is missing")                                 \
    X(device_foreign, 75, 22, "the device belongs to another pool")                             \
    X(device_duplicate, 76, 22, "two devices carry the same identity")                          \
    X(device_too_small, 77, 22, "the device is smaller than its label says, or too small")      \
    X(no_uberblock, 78, 117, "no usable uberblock on any device")                               \
    X(too_many_devices, 79, 22, "too many devices")                                             \
    X(contradiction, 90, 117, "internal contradiction")

enum class Error : u16 {
    none = 0,
#define LCPFS_ERROR_ENUM(name, number, errno_, text) name = number,
    LCPFS_ERRORS(LCPFS_ERROR_ENUM)
#undef LCPFS_ERROR_ENUM
};

// A device's, or that it cannot be reached: nothing is said of what is on it.
constexpr bool is_of_device(Error error) { return error >= Error::io_error && error <= Error::no_usable_path; }
// Among those, what may be the fault of few of the sectors asked for: the others may still be had, each for itself.
constexpr bool is_of_sectors(Error error)
{
    return error == Error::io_error || error == Error::io_medium || error == Error::io_protection;
}

// The errno (positive) for an error; 0 for none.
constexpr int errno_of(Error error)
{
    switch (error) {
#define LCPFS_ERROR_ERRNO(name, number, errno_, text) \
    case Error::name:                                 \
        return errno_;
        LCPFS_ERRORS(LCPFS_ERROR_ERRNO)
#undef LCPFS_ERROR_ERRNO
    case Error::none:
        break;
    }
    return 0;
}

// The sentence for a log line.
constexpr const char* text_of(Error error)
{
    switch (error) {
#define LCPFS_ERROR_TEXT(name, number, errno_, text) \
    case Error::name:                                \
        return text;
        LCPFS_ERRORS(LCPFS_ERROR_TEXT)
#undef LCPFS_ERROR_TEXT
    case Error::none:
        break;
    }
    return "no error";
}

// True for errors that say bytes on a device are wrong, as against requests that are.
constexpr bool is_damage(Error error)
{
    return error >= Error::data_checksum && error < Error::label_not_lcpfs;
}

}
