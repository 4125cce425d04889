/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every suite of the core's tests, in the order of the layers they test. An explicit list, since neither
 * static constructors nor the linker's section symbols exist in a kernel module. A C header: KUnit makes
 * one suite of each row.
 */
#ifndef LCPFS_TEST_SUITES_H
#define LCPFS_TEST_SUITES_H

#define LCPFS_TEST_SUITES(X) \
	X(errors)            \
	X(little_endian)     \
	X(list)              \
	X(span)              \
	X(result)            \
	X(memory)            \
	X(vector)            \
	X(locks)             \
	X(threads)           \
	X(checksum)          \
	X(compression)       \
	X(compression_rows)  \
	X(device)            \
	X(path_window)       \
	X(path_balance)      \
	X(path_health)       \
	X(path_table)        \
	X(path_policy)       \
	X(path_group)        \
	X(path_errors)       \
	X(path_trouble)      \
	X(event_ring)        \
	X(zone)              \
	X(label)             \
	X(label_lies)        \
	X(uberblock)         \
	X(vdev_set)          \
	X(allocator)         \
	X(fixed_point)       \
	X(learned_threshold) \
	X(partition_codec)   \
	X(partition_lies)    \
	X(partition_controller) \
	X(partition_replay)  \
	X(node_page)         \
	X(node_damage)       \
	X(node_cache)        \
	X(tree)              \
	X(tree_damage)       \
	X(tree_lies)         \
	X(record)            \
	X(record_damage)     \
	X(extent)            \
	X(extent_damage)     \
	X(unit_damage)       \
	X(name)              \
	X(name_damage)       \
	X(xattr_damage)      \
	X(acl)               \
	X(txg_engine)        \
	X(space_log)         \
	X(space)             \
	X(zil)               \
	X(zil_turns)         \
	X(late_frames)       \
	X(log_reader)        \
	X(early_group)       \
	X(names)             \
	X(rename)            \
	X(file)              \
	X(tail)              \
	X(allocate)          \
	X(punch)             \
	X(xattrs)            \
	X(shift)             \
	X(shift_cases)       \
	X(share_table)       \
	X(clone)             \
	X(compressed)        \
	X(groups)            \
	X(full)              \
	X(no_memory)         \
	X(pool)              \
	X(pool_devices)      \
	X(labels_ahead)      \
	X(pool_stopped)      \
	X(tables)            \
	X(damaged_bitmap)    \
	X(trim)              \
	X(log_write)            \
	X(replay)            \
	X(log_device)        \
	X(log_mirror)        \
	X(datasets)          \
	X(partitions)        \
	X(evacuate)          \
	X(durability)        \
	X(damaged_shares)    \
	X(check)             \
	X(kept_group)

#endif
