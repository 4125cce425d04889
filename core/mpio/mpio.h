// SPDX-License-Identifier: GPL-2.0-only
// Multipath I/O: several block devices are paths to one target (a LUN over two HBAs, a namespace over two
// controllers). I/O goes to the best path; a failing path costs a retry on another, never an error above.
//
// The parts, lower first:
//   path_health, path_latency   what is known of one path: a decaying window of errors, latencies by size class
//   path, path_table            a path; the paths of one target, choosing among them, accounting for what ended
//   probe_format, path_probe    the probe block; reading it down a path, and proving that two devices are one disk
//   path_copies                 requests with a copy of their memory, so that a hanging path can be left behind
//   path_group                  sending requests: failover, waiting for a path, flushes; states of paths in time
//   path_manager                the groups of a pool by target, the thread that keeps time, statistics, administration
//
// States. Active and Degraded are usable. A path error makes a path Failed at once when another path is usable. The
// last usable one is never failed on a plain I/O error, which may as well be a bad sector: the path is probed, and the
// probe decides whether the request is tried again and its error reported, or the path is Failed and the request
// waits. Failed leads to Repairing by a good probe, Repairing to Active by a run of five and a new proof of identity,
// never by time alone. A path that failed again soon after a repair waits twice as long as the time before.
//
// Choosing takes no lock and allocates nothing: the slots of a table are never freed while it lives, all that
// choosing reads are single words, and a path that changed under the chooser's feet is seen after its depth was
// counted up (`PathTable::begin`). So removing a path is: mark it, wait until its depth is 0.
//
// Fail fast. While another path is usable a request tells the host not to try again by itself what fails on the way
// (HOST_IO_FAIL_FAST); the last usable path has the host's patience. So failover waits for no driver's retries.
//
// Requests. A request that failed goes to a list of its group and is sent again by a work item: the same host_io
// on another device, which takes no memory. That cannot help a request that never ends: its memory belongs to the
// hanging device. So, in groups of several paths only, requests up to the group's copy limit travel with a copy of
// their memory, in preallocated slots; past the time limit the copy goes down another path, and the caller has his
// memory back with that result. Larger ones wait for their device. With time limit 0 nothing is copied.
//
// Late writes. A write left behind may land long after its blocks were given up. Until it ends, the
// allocator keeps its blocks (`PathGroup::has_late_write`) and the group holds back every write that
// overlaps it: fixed places as bitmaps and uberblock slots would otherwise be put back to an old content. So a bitmap that hung in
// one group holds up the group that writes the same copy again, two later: its other copy is the one that the committed table
// names, there is no third. The intent log, which has a choice of places, goes around (IntentLog::place_for_locked).
//
// Flushes go down every path that completed a write since its last flush; a flush whose path is gone goes down
// another like any request, since a cache that outlives its path stands at the target. `shared_cache` says that
// one flush does for all paths.
//
// A target with one path pays a test and two or three counts of the CPU that sent it (`PathGroup::submit`): no clock, no queue,
// no copy, no thread. It becomes a group of several paths when one is added, and stays that from then on.
//
// Locking: PathGroup::m_lock (spin, rank path) over states, waiting requests and nonces; PathCopy::m_lock (spin,
// rank path_copy) over one copied request; PathManager::m_admin (mutex, rank path_admin) over adding, removing and
// settings. No lock is held over I/O but m_admin over that of administration.
#pragma once

#include "core/base/types.h"
#include "core/host/host.h"

namespace lcpfs {

using PathId = Tagged<struct PathIdTag, u32>;
using TargetId = Tagged<struct TargetIdTag>;

enum class PathState : u8 { active, degraded, failed, repairing };
enum class PathPolicy : u8 { round_robin, least_queue, least_latency, service_time };
constexpr bool is_usable(PathState state) { return state == PathState::active || state == PathState::degraded; }

constexpr u32 k_max_paths = 16;              // of one target
constexpr u32 k_default_cost_us = 100;       // of a queued request, until learned
constexpr u64 k_ns_per_us = 1000;
constexpr u64 k_ns_per_ms = 1000000;
constexpr u64 k_ns_per_s = 1000000000;
constexpr u64 k_health_interval_ns = 10 * k_ns_per_s;

// Latency and cost are kept apart by size: up to 8, 64, 256 KiB, larger.
constexpr u32 k_size_classes = 4;
enum class SizeClass : u8 { small, medium, large, huge };
constexpr SizeClass size_class_of(u64 bytes)
{
    if (bytes <= 8 * 1024)
        return SizeClass::small;
    if (bytes <= 64 * 1024)
        return SizeClass::medium;
    return bytes <= 256 * 1024 ? SizeClass::large : SizeClass::huge;
}

// Whose fault a failed request is, after the block layer's classes.
enum class Blame : u8 {
    none,
    target,    // of the disk behind the paths: goes up at once
    path,      // of the way there
    plain,     // an I/O error that says no more: the path's while another can be tried
    host,      // no memory: nobody's, to be tried again
};
constexpr Blame blame_of(host_io_status status)
{
    switch (status) {
    case HOST_IO_OK:
        return Blame::none;
    case HOST_IO_NOT_SUPPORTED:
    case HOST_IO_NO_SPACE:
    case HOST_IO_TARGET:
    case HOST_IO_RESERVATION:
    case HOST_IO_MEDIUM:
    case HOST_IO_PROTECTION:
    case HOST_IO_NO_PATH:
        return Blame::target;
    case HOST_IO_TRANSPORT:
    case HOST_IO_TIMEOUT:
    case HOST_IO_OFFLINE:
        return Blame::path;
    case HOST_IO_NO_MEMORY:
        return Blame::host;
    case HOST_IO_ERROR:
        break;
    }
    return Blame::plain;
}

}
