// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/log_states.h"

#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {
constexpr u64 k_elsewhere_one_in = 16;
constexpr u64 k_torn_everywhere_blocks = 32;
constexpr u64 k_places = 16;
}

u64& states_of(StateClass kind)
{
    static u64 s_counts[k_state_classes];
    return s_counts[static_cast<u32>(kind)];
}

const DiskLogFrame* frame_of(const LoggedWrite& write)
{
    if (write.flush || write.data.size() < sizeof(DiskLogFrame))
        return nullptr;
    const DiskLogFrame* frame = reinterpret_cast<const DiskLogFrame*>(write.data.data());
    return frame->magic.get() == k_log_frame_magic ? frame : nullptr;
}

LogStates::LogStates(const IoLog& log, const std::vector<Image*>& base, u64 block_bytes, u64 seed)
    : m_log(log)
    , m_cursor(log, base)
    , m_block_bytes(block_bytes)
    , m_seed(seed)
    , m_random(seed)
    , m_tears_all(m_random.one_in(3))
{
}

// What of the frames in doubt `keep` leaves, by logical block; the rest by chance.
void LogStates::make(StateClass kind, const KeepFrames& keep)
{
    const u64 number = m_number++;
    if (m_only != k_never && number != m_only)
        return;
    Random random(mix(m_seed, number));
    const u64 sectors = m_block_bytes / k_sector;
    const u64 share = random.below(3); // of everything else: none, all, some
    const u64 seed = random.next();
    State state { number, m_cursor.position(), kind, m_cursor.crash([&](size_t n, u64 sector) {
                     const u64 block = sector / sectors;
                     if (is_frame_in_doubt(n))
                         return keep(n, block);
                     const bool torn = mix(seed, n) % 4 == 0;
                     return share == 1 || (share == 2 && mix(mix(seed, n), torn ? block + 1 : 0) % 2);
                 }),
                  &random };
    Scheduler::get().reset(random.next(), 50);
    (*m_visit)(state);
}

// The newest write in doubt is a frame.
void LogStates::tear()
{
    const size_t newest = m_cursor.in_doubt() - 1;
    const u64 blocks = m_log.writes[m_cursor.write_in_doubt(newest)].data.size() / m_block_bytes;
    // Those before it, still in flight: there, since what lies behind a gap is not looked at;
    // or one torn as well.
    const u64 odd = m_random.one_in(3) ? m_random.below(blocks + 1) : k_never;
    const bool everywhere = blocks <= k_torn_everywhere_blocks || m_tears_all;
    for (u64 i = 0; i <= (everywhere ? blocks : k_places); i++) {
        const u64 cut = everywhere ? i : m_random.below(blocks + 1);
        make(StateClass::torn, [&](size_t n, u64 block) { return n == newest ? block < cut : block != odd; });
    }
    for (u64 i = 0; i < blocks; i++) {
        if (m_random.below(max(blocks, k_places)) >= k_places / 2)
            continue;
        make(StateClass::torn, [&](size_t n, u64 block) { return n != newest || block != i; });
    }
}

void LogStates::subsets()
{
    std::vector<size_t> frames;
    for (size_t n = 0; n < m_cursor.in_doubt(); n++)
        if (is_frame_in_doubt(n))
            frames.push_back(n);
    if (frames.size() < 2)
        return;
    const bool all = frames.size() <= 4;
    for (u64 i = 0; i < (all ? 1ull << frames.size() : k_places); i++) {
        const u64 chosen = all ? i : m_random.next();
        make(StateClass::subset, [&](size_t n, u64) {
            for (size_t f = 0; f < frames.size(); f++)
                if (frames[f] == n)
                    return (chosen >> f & 1) != 0;
            return false;
        });
    }
}

void LogStates::visit(u64 end, u64 only, const Visit& visit)
{
    m_visit = &visit;
    m_only = only;
    for (u64 position = 1; position <= end; position++) {
        m_cursor.advance_to(position);
        const IoLog::Event& event = m_log.events[position - 1];
        const bool frame = frame_of(m_log.writes[event.write]) != nullptr;
        // The end of a flush is a boundary too, of all the frames that it makes durable.
        if (!frame && !(event.completion && m_log.writes[event.write].flush)) {
            if (m_random.one_in(k_elsewhere_one_in)) {
                const u64 seed = m_random.next();
                make(StateClass::elsewhere, [&](size_t n, u64) { return mix(seed, n) % 3 != 0; });
            }
            continue;
        }
        if (event.completion) {
            make(StateClass::boundary, [](size_t, u64) { return false; });
            if (m_cursor.in_doubt())
                make(StateClass::boundary, [](size_t, u64) { return true; });
        } else {
            tear();
        }
        subsets();
    }
}

}
