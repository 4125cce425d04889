// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/crash.h"

namespace lcpfs::sim {

CrashCursor::CrashCursor(const IoLog& log, const std::vector<Image*>& base)
    : m_log(log)
{
    for (const Image* image : base)
        m_durable.push_back(std::make_unique<Image>(image->bytes(), image));
}

void CrashCursor::advance_to(u64 position)
{
    for (; m_position < position; m_position++) {
        const IoLog::Event& event = m_log.events[m_position];
        const LoggedWrite& write = m_log.writes[event.write];
        if (!event.completion) {
            if (!write.flush)
                m_pending.push_back({ event.write, {} });
            continue;
        }
        if (write.drops)
            drop(write.disk, m_position);
        if (write.failed)
            continue; // its sectors stay in doubt
        if (write.flush || write.preflush)
            flush(write.disk, write.submitted);
        if (!write.flush && write.fua)
            make_durable(event.write);
    }
}

void CrashCursor::drop(u32 disk, u64 before)
{
    for (Pending& pending : m_pending) {
        const LoggedWrite& write = m_log.writes[pending.write];
        pending.dropped |= write.disk == disk && write.completed <= before;
    }
}

void CrashCursor::flush(u32 disk, u64 before)
{
    for (size_t i = 0; i < m_pending.size();) {
        const LoggedWrite& write = m_log.writes[m_pending[i].write];
        if (write.disk == disk && write.completed <= before && !write.failed && !m_pending[i].dropped)
            make_durable(m_pending[i].write);
        else
            i++;
    }
}

void CrashCursor::make_durable(u32 index)
{
    const LoggedWrite& write = m_log.writes[index];
    u64 end = write.offset + write.data.size();
    for (size_t i = 0; i < m_pending.size(); i++) {
        Pending& pending = m_pending[i];
        if (pending.write == index) {
            for (u64 at = 0; at < write.data.size(); at += k_sector)
                if (pending.superseded.empty() || !pending.superseded[at / k_sector])
                    m_durable[write.disk]->write(write.offset + at, write.data.data() + at, k_sector);
            m_pending.erase(m_pending.begin() + static_cast<long>(i));
            return;
        }
        const LoggedWrite& older = m_log.writes[pending.write];
        if (older.disk != write.disk || older.offset >= end || write.offset >= older.offset + older.data.size())
            continue;
        pending.superseded.resize(older.data.size() / k_sector);
        for (u64 at = 0; at < older.data.size(); at += k_sector)
            if (older.offset + at >= write.offset && older.offset + at < end)
                pending.superseded[at / k_sector] = true;
    }
}

std::vector<std::unique_ptr<Image>> CrashCursor::crash(const Keep& keep) const
{
    std::vector<std::unique_ptr<Image>> images;
    for (auto& durable : m_durable)
        images.push_back(std::make_unique<Image>(durable->bytes(), durable.get()));
    for (size_t n = 0; n < m_pending.size(); n++) {
        const Pending& pending = m_pending[n];
        const LoggedWrite& write = m_log.writes[pending.write];
        for (u64 at = 0; at < write.data.size(); at += k_sector)
            if ((pending.superseded.empty() || !pending.superseded[at / k_sector]) && keep(n, at / k_sector))
                images[write.disk]->write(write.offset + at, write.data.data() + at, k_sector);
    }
    return images;
}

std::vector<std::unique_ptr<Image>> CrashCursor::crash(Random& random)
{
    // Few kept, many kept, half, all, none: each finds other mistakes.
    static constexpr u32 k_keep_percent[] = { 0, 10, 50, 50, 90, 100 };
    u32 keep = k_keep_percent[random.below(6)];
    u32 torn = keep == 0 || keep == 100 ? 0 : static_cast<u32>(random.below(40));
    bool tears = false, keeps = false;
    size_t current = m_pending.size();
    return crash([&](size_t n, u64) {
        if (n != current) {
            current = n;
            tears = random.below(100) < torn;
            keeps = tears || random.below(100) < keep;
        }
        return keeps && !(tears && random.one_in(2));
    });
}

}
