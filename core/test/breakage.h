// SPDX-License-Identifier: GPL-2.0-only
// Deliberate mistakes, to prove that the tests would see them. In an ordinary build each flag is a constant
// false and costs nothing. `make ... BREAK=skip-flush` compiles one in; BREAK=choosable compiles all, and
// `sim --broken=NAME` chooses at run time.
#pragma once

namespace lcpfs::breakage {

#if defined(LCPFS_BREAK_CHOOSABLE)
inline bool skip_flush = false;    // a commit writes its uberblock without flushing the devices first
inline bool reuse_early = false;   // freed blocks are allocatable one group before they should be
inline bool skip_checksum = false; // what is read from a device is not compared with its checksum
inline bool log_skip_flush = false;       // a log write is taken for durable without FUA or flush
inline bool log_ack_early = false;        // a log write is acknowledged before the device has it
inline bool log_reorder = false;          // records of one log write stand in the wrong order
inline bool log_replay_committed = false; // records whose group committed are replayed too
inline bool log_skip_claim = false;       // replay does not claim the blocks of logged extents first
inline bool log_takeover_early = false;   // callers of a log device that failed do not wait for the group that saves them
inline bool log_trust_stale = false;      // a member of a mirrored log that failed is not recorded as stale
inline bool forget_failed_flush = false; // a flush that succeeds is taken to cover what one before it failed to
inline bool forget_late_writes = false; // blocks are written again while a write that was left behind may land on them
inline bool unit_free_early = false; // a compressed unit that is cut counts as one part still: the first part to go frees it
inline bool unit_trust = false; // what is stored of a compressed unit is not compared with its checksums
#else
#if defined(LCPFS_BREAK_SKIP_FLUSH)
inline constexpr bool skip_flush = true;
#else
inline constexpr bool skip_flush = false;
#endif
#if defined(LCPFS_BREAK_EARLY_REUSE)
inline constexpr bool reuse_early = true;
#else
inline constexpr bool reuse_early = false;
#endif
#if defined(LCPFS_BREAK_SKIP_CHECKSUM)
inline constexpr bool skip_checksum = true;
#else
inline constexpr bool skip_checksum = false;
#endif
#if defined(LCPFS_BREAK_LOG_SKIP_FLUSH)
inline constexpr bool log_skip_flush = true;
#else
inline constexpr bool log_skip_flush = false;
#endif
#if defined(LCPFS_BREAK_LOG_ACK_EARLY)
inline constexpr bool log_ack_early = true;
#else
inline constexpr bool log_ack_early = false;
#endif
#if defined(LCPFS_BREAK_LOG_REORDER)
inline constexpr bool log_reorder = true;
#else
inline constexpr bool log_reorder = false;
#endif
#if defined(LCPFS_BREAK_LOG_REPLAY_COMMITTED)
inline constexpr bool log_replay_committed = true;
#else
inline constexpr bool log_replay_committed = false;
#endif
#if defined(LCPFS_BREAK_LOG_SKIP_CLAIM)
inline constexpr bool log_skip_claim = true;
#else
inline constexpr bool log_skip_claim = false;
#endif
#if defined(LCPFS_BREAK_LOG_TAKEOVER_EARLY)
inline constexpr bool log_takeover_early = true;
#else
inline constexpr bool log_takeover_early = false;
#endif
#if defined(LCPFS_BREAK_LOG_TRUST_STALE)
inline constexpr bool log_trust_stale = true;
#else
inline constexpr bool log_trust_stale = false;
#endif
#if defined(LCPFS_BREAK_FORGET_FAILED_FLUSH)
inline constexpr bool forget_failed_flush = true;
#else
inline constexpr bool forget_failed_flush = false;
#endif
#if defined(LCPFS_BREAK_FORGET_LATE_WRITES)
inline constexpr bool forget_late_writes = true;
#else
inline constexpr bool forget_late_writes = false;
#endif
#if defined(LCPFS_BREAK_UNIT_FREE_EARLY)
inline constexpr bool unit_free_early = true;
#else
inline constexpr bool unit_free_early = false;
#endif
#if defined(LCPFS_BREAK_UNIT_TRUST)
inline constexpr bool unit_trust = true;
#else
inline constexpr bool unit_trust = false;
#endif
#endif

}
