// SPDX-License-Identifier: GPL-2.0-only
// LogReader: what the log holds that the committed group does not, read at opening. Needs no state but the uberblock's tail.
//
// The log ends at the first frame that does not fit. When a later frame of the same generation says that this one had been
// acknowledged, something acknowledged is missing: log_missing, with `missing` telling which. Looked for as far ahead as
// frames in flight can have reached, and some way beyond. The next frame itself may stand there too, where a late write was
// evaded.
//
// Of a ring with members each frame is taken from whatever member has a good copy of it: those whose devices are there, stale
// ones as well, since a frame that fits is the frame. It is missing when no member has it. A member that cannot be read is
// passed over as long as another can.
//
// Bad sectors: where the next frame may stand they are an error, since nothing can tell that it had been acknowledged. Behind that a few
// are passed over (`unread_bytes`). What that leaves open: the last frame of all evaded a late write of a path that is gone since,
// and stands on one.
//
// Memory: the frames that hold records of newer groups, up to an eighth of the machine's, which is about what two groups of its own
// can leave (IntentLog::set_max_group). What a larger machine left beyond that is read again each time the records are gone through.
#pragma once

#include "core/zil/frame.h"
#include "core/zil/kept_frames.h"
#include "core/zil/ring.h"
#include "core/zil/zil.h"

namespace lcpfs {

class LogReader {
public:
    LogReader(VdevSet& vdevs, const LogRing& ring, const DiskGuid& pool_guid) : m_vdevs(vdevs), m_ring(ring)
    {
        m_identity.pool_guid = pool_guid;
    }
    ~LogReader();
    LogReader(const LogReader&) = delete;

    // Before `read`: another bound on what is kept in memory.
    void keep_at_most(u64 bytes) { m_kept.set_max(bytes); }

    // Before `read`: has every frame that is taken told.
    using FrameFunction = void (*)(void* context, const LogFrameHead& head);
    void tell_frames(FrameFunction told, void* context)
    {
        m_told = told;
        m_told_context = context;
    }
    // Everything from `tail` on whose group is newer than `committed`. log_missing, log_damaged, no_memory, device errors. Once.
    Status read(const LogTail& tail, TxgId committed);
    // After another reader has read `before` to its end, on a log device: whether the log went on in this ring, as it does from
    // its start on when the device fails. Then what `before` lacks had been acknowledged: log_missing, told by `missing`.
    // Only a group that is lost can have known.
    Status look_for_takeover(const LogTail& tail, const LogReader& before);

    // What `read` found, to its end or to where it failed.
    u64 record_count() const { return m_record_count; }
    // Behind the last frame: what could not be looked at for more of them, since the device does not give it.
    u64 unread_bytes() const { return m_end.unread_bytes; }
    // Frames that had to be taken from another member than the one before them, as no good copy was there.
    u64 passed_over() const { return m_end.passed_over; }
    u64 end_position() const { return m_end.position; }
    u64 next_sequence() const { return m_end.sequence; }
    u64 last_record() const { return m_end.last_record; }
    struct Missing {
        u64 sequence { 0 }, position { 0 }, proof { 0 };
    };
    const Missing& missing() const { return m_end.missing; }
    // The group read from is older than one that had committed, and what only that one had is needed from here on: the
    // records end before (their frames do not).
    bool lacks_group() const { return m_end.lacks_group; }

    // The records, in order of their numbers: the first one after `rewind`, null behind the last. Valid until the next call. Of what
    // has to be read again device errors, io_error also when a frame is not there any more: that of number `at_frame`.
    void rewind();
    Result<const LogRecordView*> next();
    u64 at_frame() const { return m_at.sequence; }
    // After log_missing: has `found` called with every record of newer groups that can still be read, from the missing frame
    // on. The record is valid during the call.
    Status find_lost(TxgId committed, void (*found)(void* context, const LogRecordView& record), void* context);

private:
    static constexpr u32 k_window_bytes = 2 * k_max_log_frame_bytes;
    static constexpr u64 k_look_ahead_bytes = 4ull << 20;
    static constexpr u32 k_most_bad_blocks = 16; // passed over in looking ahead, and asked for of a window

    // How far it has come.
    struct At {
        u64 position { 0 }, sequence { 0 }; // of the frame that comes next
        u64 last_record { 0 };
        u64 passed_over { 0 };
        u64 unread_bytes { 0 };
        Missing missing;
        bool lacks_group { false };
    };
    // The frame at hand, in the window it was read into.
    struct Frame {
        LogFrameHead head;
        u8* bytes;
        u64 position;
        u32 offset, left; // of the next record, and how many are to come
        Bytes data;       // theirs
    };

    // What has been read of one member of the ring.
    struct Window {
        u8* bytes { nullptr };
        u64 position { 0 };
        u32 valid { 0 };
        u64 bad { 0 }; // blocks of it, a bit each, that the device does not give
        Error error { Error::none }; // as it says of them
        bool has_bad(u32 from, u32 end) const; // bytes of it
    };
    Status prepare();
    Status transfer(u32 member, u64 position, Span<const core_segment> segments);
    Status read_window(u32 member, u64 position);
    Result<u8*> window(u32 member, u64 position, u32 bytes);
    Result<const u8*> window_within(u32 member, u64 position, u32 bytes);
    // False: no frame of ours begins there.
    Result<bool> head_at(u32 member, u64 position, LogFrameHead& head);
    Result<bool> frame_at(u32 member, u64 position, LogFrameHead& head, u8*& bytes);
    Result<bool> record_at(u32 member, u64 position, u64 newest, LogRecordView& record, u32& bytes);
    Result<bool> take_frame_from(u32 member, u64 position);
    Result<bool> take_frame(u64 position);
    Result<bool> look_ahead(u32 member);
    Result<bool> find_frame();
    void leave_frame();
    template <typename Try>
    Result<bool> any_member(Try attempt);
    Result<LogRecordView> record_of_frame();
    bool is_wanted(const LogRecordView& record) const;
    Status note_records(bool& keeps, bool& has_wanted);
    Status take_records();
    Status read_frames();

    VdevSet& m_vdevs;
    const LogRing& m_ring;
    LogIdentity m_identity {};
    host_pool* m_page_pool { nullptr };
    core_segment m_segments[k_window_bytes / k_block_size] {}; // pages that a window is read into
    Window m_windows[k_max_log_members];
    u32 m_best { 0 }; // the member that gave the last frame
    u64 m_start { 0 }; // the tail's position
    TxgId m_committed {};
    At m_at;
    At m_end; // where `read` ended
    Frame m_frame {};
    u64 m_record_count { 0 };
    KeptFrames m_kept { host_memory_bytes() / 8 };
    bool m_is_beyond { false }; // not all are kept, but those up to m_beyond
    At m_beyond;
    u64 m_next { 0 }; // so many records have been gone through
    bool m_is_in_frame { false };
    LogRecordView m_record {};
    FrameFunction m_told { nullptr };
    void* m_told_context { nullptr };
};

}
