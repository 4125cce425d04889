// SPDX-License-Identifier: GPL-2.0-only
// InPlaceWrites: data on its way into blocks that a file had before, unwritten (fs/in_place.h).
//
// Such blocks may be freed meanwhile, and what a group frees is handed out again once the next one has committed: by then nothing
// may be on its way there. So each write counts in the group that was open when it found its blocks in the file; a
// commit waits, before it releases what group F freed, for the writes of groups up to F. F's are in one counter with those
// of F - 4, which is as good; the groups behind F have the other three. That is a wait for the device alone: a write counts until it has
// ended there, not until it has been entered.
#pragma once

#include "core/base/types.h"
#include "core/base/atomic.h"
#include "core/host/locks.h"

namespace lcpfs {

class InPlaceWrites {
public:
    // `open`: the open group, read under the lock of the object that has the blocks. Gives what `end` wants.
    u32 begin(TxgId open)
    {
        const u32 slot = static_cast<u32>(open.value() & 3);
        m_writes[slot].add(1);
        return slot;
    }
    // Any context.
    void end(u32 slot)
    {
        if (m_writes[slot].sub(1) == 0)
            m_event.wake();
    }
    // Until none is under way of groups up to `txg`, when groups behind txg + 3 are not open yet.
    void wait(TxgId txg)
    {
        Atomic<u32>& writes = m_writes[txg.value() & 3];
        if (writes.load())
            m_event.wait([&] { return writes.load() == 0; });
    }
    // Until the writes of one object have been entered. No core lock, no hold.
    void wait_for(const Atomic<u32>& of_object)
    {
        m_event.wait([&] { return of_object.load() == 0; });
    }
    void left(Atomic<u32>& of_object)
    {
        if (of_object.sub(1) == 0)
            m_event.wake();
    }

private:
    Atomic<u32> m_writes[4];
    Event m_event;
};

}
