// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/uberblock.h"

namespace lcpfs {

constexpr u32 k_front_labels = k_label_count / 2;
constexpr u32 k_slots_per_page = k_block_size / k_uberblock_slot_bytes;

// Of a ring: where group `txg` is.
static u32 page_of(u64 txg) { return uberblock_slot_of(txg) / k_slots_per_page; }

// The ring of one label as it was read: pages, since I/O wants no more than a page in one piece. Its groups are all even or all odd, and
// so are the pages where they stand: those between are nobody's, and all read into one.
class RingBuffer {
public:
    explicit RingBuffer(u32 label) : m_label(label) {}
    ~RingBuffer()
    {
        (void)m_batch.wait().is_ok();
        for (u8* page : m_pages)
            if (page)
                host_pool_free(m_pool, page);
        if (m_between)
            host_pool_free(m_pool, m_between);
        host_pool_destroy(m_pool);
    }
    Status prepare()
    {
        TRY(make_pool());
        TRY(prepare_page(m_between));
        for (u32 page = m_label % 2; page < k_pages; page += 2)
            TRY(prepare_page(m_pages[page]));
        return {};
    }
    void start_read(VdevSet& vdevs, const Vdev& vdev) { start(vdevs, vdev, 0, all_pages()); }
    // Of a front label.
    void start_early_read(DeviceIo& io) { io.read_into(label_offset(m_label, 0) + k_label_ring_offset, all_pages(), m_batch); }
    // The page of that group, with no other prepared.
    Status start_read_only(VdevSet& vdevs, const Vdev& vdev, u64 txg)
    {
        const u32 page = page_of(txg);
        TRY(make_pool());
        TRY(prepare_page(m_pages[page]));
        m_segments[0] = { m_pages[page], k_block_size };
        start(vdevs, vdev, page, Span<const core_segment>(m_segments, 1));
        return {};
    }
    bool has_same_page(const RingBuffer& other, u32 page) const
    {
        return compare_bytes(m_pages[page], other.m_pages[page], k_block_size) == 0;
    }
    Status wait()
    {
        const Status read = m_batch.wait();
        m_given = read.is_ok() ? own_pages() : 0;
        return read;
    }
    // Page for page, when all at once failed: a bad sector costs its page. Who has more than a few is not asked on. no_memory, and what
    // is not of sectors.
    Status read_each(VdevSet& vdevs, const Vdev& vdev)
    {
        constexpr u32 k_most_bad = 4;
        u32 bad = 0;
        for (u32 page = m_label % 2; page < k_pages; page += 2) {
            m_segments[0] = { m_pages[page], k_block_size };
            start(vdevs, vdev, page, Span<const core_segment>(m_segments, 1));
            const Error error = m_batch.wait().error();
            if (error == Error::none)
                m_given |= 1u << page;
            else if (!is_of_sectors(error))
                return error;
            else if (++bad > k_most_bad)
                break;
        }
        return {};
    }
    // A bit for each page: that were read, and that were not.
    u32 given() const { return m_given; }
    u32 refused() const { return own_pages() & ~m_given; }
    template <typename Visit> // Status(u32 slot, const DiskUberblock&)
    Status visit_slots(Visit visit) const
    {
        for (u32 page = m_label % 2; page < k_pages; page += 2)
            for (u32 i = 0; i < k_slots_per_page && (m_given >> page & 1); i++)
                TRY(visit(page * k_slots_per_page + i, reinterpret_cast<const DiskUberblock*>(m_pages[page])[i]));
        return {};
    }

private:
    static constexpr u32 k_pages = k_uberblock_slots / k_slots_per_page;
    static_assert(k_pages == 32); // of group t: its page is t % k_pages, its labels are those of t % 2
    u32 own_pages() const { return 0x55555555u << m_label % 2; }
    Span<const core_segment> all_pages()
    {
        for (u32 page = 0; page < k_pages; page++)
            m_segments[page] = { m_pages[page] ? m_pages[page] : m_between, k_block_size };
        return Span<const core_segment>(m_segments, k_pages);
    }
    Status make_pool()
    {
        m_pool = host_pool_create("lcpfs_ring", k_block_size, 0);
        return m_pool ? Error::none : Error::no_memory;
    }
    Status prepare_page(u8*& page)
    {
        page = static_cast<u8*>(host_pool_alloc(m_pool, 0));
        return page ? Error::none : Error::no_memory;
    }
    void start(VdevSet& vdevs, const Vdev& vdev, u32 page, Span<const core_segment> segments)
    {
        m_batch.begin();
        vdevs.transfer(HOST_IO_READ, vdev.id, label_offset(m_label, vdev.capacity_blocks) + k_label_ring_offset + page * k_block_size,
                       segments, HOST_IO_META, IoBatch::done, &m_batch);
    }

    const u32 m_label;
    host_pool* m_pool { nullptr };
    u8* m_pages[k_pages] {};
    u8* m_between { nullptr };
    core_segment m_segments[k_pages];
    u32 m_given { 0 };
    IoBatch m_batch;
};

// Nothing was ever written to it. Most slots of a young pool are so, and every mount looks at all: at what an uberblock says, that is;
// what it leaves zero is no trace of one.
static bool is_empty(const DiskUberblock& disk)
{
    constexpr size_t k_step = 8 * sizeof(u64);
    static_assert(offsetof(DiskUberblock, reserved) <= 5 * k_step && sizeof(disk.reserved) > k_step);
    if (disk.checksum.get())
        return false;
    const u8* const bytes = bytes_of(disk).data();
    for (size_t at = 0; at < offsetof(DiskUberblock, reserved); at += k_step) {
        u64 words[8];
        copy_bytes(words, bytes + at, sizeof(words));
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7])
            return false;
    }
    return true;
}

// Newest first; of two of one group the later written (a group number is used again after falling back).
static Status insert(Vector<Uberblock>& found, const Uberblock& uberblock)
{
    size_t at = 0;
    while (at < found.size() && found[at].txg > uberblock.txg)
        at++;
    if (at < found.size() && found[at].txg == uberblock.txg) {
        if (uberblock.time_ns > found[at].time_ns)
            found[at] = uberblock;
        return {};
    }
    TRY(found.push_back(uberblock));
    for (size_t i = found.size() - 1; i > at; i--)
        lcpfs::swap(found[i], found[i - 1]);
    return {};
}

// The groups that damaged slots claim to be, each copy for itself, and those that no device gives, to be compared with what was found in
// the end.
class DamagedSlots {
public:
    Status note(u32 slot, const DiskUberblock& disk) { return m_claims.push_back({ slot, disk.txg.get() }); }
    void note_pages(u32 given, u32 refused)
    {
        m_given |= given;
        m_refused |= refused;
    }
    u64 highest_after(TxgId newest) const
    {
        u64 highest = 0;
        for (const Claim& claim : m_claims)
            highest = max(highest, group_of(claim, newest.value()));
        return highest;
    }
    // The same of pages that no device gives.
    u64 highest_lost_after(TxgId newest) const
    {
        const u32 lost = m_refused & ~m_given;
        for (u64 ahead = k_look_ahead_of_garbage; lost && ahead > 0; ahead--)
            if (lost >> page_of(newest.value() + ahead) & 1)
                return newest.value() + ahead;
        return 0;
    }

private:
    struct Claim {
        u32 slot;
        u64 txg;
    };
    // Groups after the newest are not far from it.
    static constexpr u64 k_look_ahead = 31;
    static constexpr u64 k_look_ahead_of_garbage = 15;

    // 0: none after `newest`. What claims nothing that can be counts if it is where one of the next would be.
    static u64 group_of(const Claim& claim, u64 newest)
    {
        const bool fits = claim.txg != 0 && uberblock_slot_of(claim.txg) == claim.slot;
        if (fits && claim.txg <= newest)
            return 0;
        if (fits && claim.txg - newest <= k_look_ahead)
            return claim.txg;
        for (u64 ahead = k_look_ahead_of_garbage; ahead > 0; ahead--)
            if (uberblock_slot_of(newest + ahead) == claim.slot)
                return newest + ahead;
        return 0;
    }
    Vector<Claim> m_claims;
    u32 m_given { 0 }, m_refused { 0 }; // pages, a bit each: by one label or more
};

const Uberblock* UberblockScan::previous_of(const Uberblock& uberblock) const
{
    for (const Uberblock& candidate : found)
        if (candidate.txg == uberblock.previous)
            return &candidate;
    return nullptr;
}

TxgId UberblockScan::number_to_go_on_from() const
{
    const u64 newest = found[0].txg.value();
    if (!newer_damaged)
        return found[0].txg;
    const u64 ahead = (newer_damaged - newest + 2) | 1; // odd
    return TxgId(newest + ahead - 1);
}

static Status scan_ring(const RingBuffer& ring, const DiskGuid& pool_guid, UberblockScan& scan, DamagedSlots& damaged)
{
    for (u32 refused = ring.refused(); refused; refused &= refused - 1)
        scan.damaged_copies += k_slots_per_page;
    return ring.visit_slots([&](u32 slot, const DiskUberblock& disk) -> Status {
        if (is_empty(disk))
            return {};
        Result<Uberblock> uberblock = Uberblock::decode(disk, pool_guid);
        if (uberblock.is_ok() && uberblock_slot_of(uberblock.value().txg.value()) == slot)
            return insert(scan.found, uberblock.value());
        scan.damaged_copies++;
        return damaged.note(slot, disk);
    });
}

FrontRings::FrontRings(Box<DeviceIo> io) : m_io(lcpfs::move(io)) {}

FrontRings::~FrontRings() = default;

Status FrontRings::start()
{
    static_assert(k_front_labels <= DeviceIo::k_most_into);
    for (u32 label = 0; label < k_front_labels; label++) {
        m_rings[label] = TRY(make_box<RingBuffer>(label));
        TRY(m_rings[label]->prepare());
        m_rings[label]->start_early_read(*m_io);
    }
    return {};
}

UberblockReader::UberblockReader(VdevSet& vdevs, const DiskGuid& pool_guid, Depth depth)
    : m_vdevs(vdevs), m_pool_guid(pool_guid), m_depth(depth)
{
}

UberblockReader::~UberblockReader() = default;

bool UberblockReader::find_next()
{
    while (m_vdev < m_vdevs.count() && m_vdevs.vdev(VdevId(m_vdev)).role != VdevRole::data)
        m_vdev++;
    return m_vdev < m_vdevs.count();
}

Status UberblockReader::start_rings(u32 first, u32 end)
{
    for (u32 label = first; label < end; label++) {
        if (m_rings[label])
            continue;
        m_rings[label] = TRY(make_box<RingBuffer>(label));
        TRY(m_rings[label]->prepare());
    }
    for (u32 label = first; label < end; label++)
        m_rings[label]->start_read(m_vdevs, m_vdevs.vdev(VdevId(m_vdev)));
    return {};
}

Status UberblockReader::scan_rings(u32 first, u32 end)
{
    for (u32 label = first; label < end; label++) {
        Status read = m_rings[label]->wait();
        if (read.is_error() && m_is_early) { // once more, with all that is done for a pool's own reads
            m_rings[label]->start_read(m_vdevs, m_vdevs.vdev(VdevId(m_vdev)));
            read = m_rings[label]->wait();
        }
        if (is_of_sectors(read.error()))
            read = m_rings[label]->read_each(m_vdevs, m_vdevs.vdev(VdevId(m_vdev)));
        if (read.error() == Error::no_memory)
            return read;
        if (read.is_error())
            m_trouble = read.error();
        if (m_data_vdevs_before < k_uberblock_vdevs)
            m_damaged->note_pages(m_rings[label]->given(), m_rings[label]->refused());
        TRY(scan_ring(*m_rings[label], m_pool_guid, m_scan, *m_damaged));
    }
    return {};
}

bool UberblockReader::take_early(FrontRings& early)
{
    if (early.m_io->bdev() != m_vdevs.vdev(VdevId(m_vdev)).bdev || !early.m_rings[k_front_labels - 1])
        return false;
    for (u32 label = 0; label < k_front_labels; label++)
        m_rings[label] = lcpfs::move(early.m_rings[label]);
    return true;
}

Status UberblockReader::start(FrontRings* early)
{
    m_damaged = TRY(make_box<DamagedSlots>());
    u32 data_vdevs = 0;
    for (u16 i = 0; i < m_vdevs.count(); i++)
        data_vdevs += m_vdevs.vdev(VdevId(i)).role == VdevRole::data;
    m_is_reading = find_next();
    if (!m_is_reading)
        return {};
    m_is_front_first = m_depth == Depth::as_needed && data_vdevs == 1;
    m_is_early = m_is_front_first && early && take_early(*early);
    if (m_is_early)
        return {};
    return start_rings(0, m_is_front_first ? k_front_labels : k_label_count);
}

// Every group that can be there is there, once.
bool UberblockReader::is_front_unbroken() const
{
    if (m_scan.damaged_copies || m_scan.found.is_empty())
        return false;
    const u64 newest = m_scan.found[0].txg.value();
    for (size_t i = 0; i < m_scan.found.size(); i++)
        if (m_scan.found[i].txg.value() != newest - i)
            return false;
    return m_scan.found.size() == min<u64>(newest, k_uberblock_slots);
}

Status UberblockReader::look()
{
    if (!m_is_reading || !m_is_front_first)
        return {};
    TRY(scan_rings(0, k_front_labels));
    m_is_early = false;
    if (!is_front_unbroken())
        return {};
    const u64 next = m_scan.found[0].txg.value() + 1;
    m_next = TRY(make_box<RingBuffer>(u32(k_front_labels + next % k_front_labels)));
    return m_next->start_read_only(m_vdevs, m_vdevs.vdev(VdevId(m_vdev)), next);
}

const Uberblock* UberblockReader::likely() const { return m_scan.found.is_empty() ? nullptr : &m_scan.found[0]; }

bool UberblockReader::is_front_all()
{
    if (!m_next || m_next->wait().is_error())
        return false;
    const u64 next = m_scan.found[0].txg.value() + 1;
    return m_next->has_same_page(*m_rings[next % k_front_labels], page_of(next));
}

// The end labels too, if they may say more.
Status UberblockReader::scan_lone()
{
    if (is_front_all())
        return {};
    TRY(start_rings(k_front_labels, k_label_count));
    return scan_rings(k_front_labels, k_label_count);
}

Result<UberblockScan> UberblockReader::finish()
{
    if (m_is_reading && m_is_front_first) {
        TRY(scan_lone());
    } else {
        while (m_is_reading) {
            TRY(scan_rings(0, k_label_count));
            m_vdev++;
            m_data_vdevs_before++;
            m_is_reading = find_next();
            if (m_is_reading)
                TRY(start_rings(0, k_label_count));
        }
    }
    if (m_scan.found.is_empty())
        return m_trouble != Error::none ? m_trouble : Error::no_uberblock;
    const TxgId newest = m_scan.found[0].txg;
    const u64 lost = m_damaged->highest_lost_after(newest);
    if (lost && m_trouble != Error::none) // another time it may be there
        return m_trouble;
    m_scan.newer_damaged = max(m_damaged->highest_after(newest), lost);
    return lcpfs::move(m_scan);
}

Result<UberblockScan> scan_uberblocks(VdevSet& vdevs, const DiskGuid& pool_guid)
{
    UberblockReader reader(vdevs, pool_guid, UberblockReader::Depth::whole);
    TRY(reader.start());
    return reader.finish();
}

}
