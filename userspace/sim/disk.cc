// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/disk.h"

#include "userspace/host/common/thread_context.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

Disk::Disk(u32 index, Image& image, IoLog* log, u64 latency_ns)
    : m_index(index)
    , m_image(image)
    , m_log(log)
    , m_latency_ns(latency_ns)
    , m_name("disk" + std::to_string(index))
{
    name = m_name.c_str();
    info.capacity_bytes = image.bytes();
    info.logical_block_bytes = 512;
    info.physical_block_bytes = 4096;
    info.volatile_cache = info.fua = info.discard = true;
}

Disk::~Disk()
{
    if (m_in_flight)
        host_violation("closes %s with %u requests in flight", name, m_in_flight);
}

const Fault* Disk::fault_for(const host_io& io)
{
    for (Fault& fault : faults) {
        if (fault.op != io.op || fault.count == 0)
            continue;
        if (io.op != HOST_IO_FLUSH && (io.offset_bytes >= fault.to || io.offset_bytes + io.length_bytes <= fault.from))
            continue;
        if (fault.skip) {
            fault.skip--;
            continue;
        }
        if (fault.count != k_never)
            fault.count--;
        faults_fired++;
        return &fault;
    }
    return nullptr;
}

void Disk::submit(IoRequest& request)
{
    host_io& io = request.io;
    Scheduler& scheduler = Scheduler::get();
    size_t slot = 0;
    while (slot < m_flights.size() && m_flights[slot].request)
        slot++;
    if (slot == m_flights.size())
        m_flights.push_back({});
    Flight flight { &request, 0, 0, io.offset_bytes, io.length_bytes, io.op == HOST_IO_WRITE || io.op == HOST_IO_DISCARD };
    if (io.op == HOST_IO_WRITE) {
        for (const iovec& segment : request.segments)
            flight.content = host_xxh64(segment.iov_base, segment.iov_len, flight.content);
    }
    // Twice the same does no harm: so a write that hangs comes again by a path that was repaired meanwhile.
    auto is_same = [&](const Flight& other) {
        return other.offset == flight.offset && other.bytes == flight.bytes && other.content == flight.content;
    };
    if (flight.write) {
        for (const Flight& other : m_flights)
            if (other.request && other.write && other.offset < flight.offset + flight.bytes
                && flight.offset < other.offset + other.bytes && !is_same(other))
                host_violation("two writes of %s in flight at once: %llu+%llu and %llu+%llu", name,
                               static_cast<unsigned long long>(other.offset), static_cast<unsigned long long>(other.bytes),
                               static_cast<unsigned long long>(flight.offset), static_cast<unsigned long long>(flight.bytes));
    }
    if (m_log && (flight.write || io.op == HOST_IO_FLUSH)) {
        LoggedWrite logged { m_index, io.op == HOST_IO_FLUSH, (io.flags & HOST_IO_PREFLUSH) != 0,
                             (io.flags & HOST_IO_FUA) != 0 || !info.volatile_cache, (io.flags & HOST_IO_META) != 0,
                             io.offset_bytes, {}, m_log->position() };
        if (io.op == HOST_IO_WRITE) {
            logged.data.resize(io.length_bytes);
            request.gather(logged.data.data());
        } else if (io.op == HOST_IO_DISCARD) {
            logged.data.assign(io.length_bytes, 0xdd);
        }
        flight.logged = static_cast<u32>(m_log->writes.size());
        m_log->events.push_back({ flight.logged, false });
        m_log->writes.push_back(std::move(logged));
    }
    m_flights[slot] = flight;
    m_in_flight++;
    u64 latency = m_latency_ns / 4 + scheduler.random().below(m_latency_ns);
    if (scheduler.random().one_in(64))
        latency *= 16;
    latency += slower_ns;
    scheduler.at(scheduler.now_ns() + latency, [](void* disk, u64 slot) { static_cast<Disk*>(disk)->complete(slot); }, this, slot);
    scheduler.preemption_point();
}

void Disk::finish_write(Flight& flight, const Fault* fault)
{
    const host_io& io = flight.request->io;
    std::vector<u8> data(flight.bytes);
    if (io.op == HOST_IO_DISCARD) {
        memset(data.data(), 0xdd, data.size());
    } else {
        u64 content = 0;
        for (const iovec& segment : flight.request->segments)
            content = host_xxh64(segment.iov_base, segment.iov_len, content);
        if (content != flight.content)
            host_violation("the memory of a write to %s at %llu+%llu changed while it was under way", name,
                           static_cast<unsigned long long>(flight.offset), static_cast<unsigned long long>(flight.bytes));
        flight.request->gather(data.data());
    }
    u64 offset = flight.offset;
    Random& random = Scheduler::get().random();
    if (fault && fault->kind == FaultKind::lost_write)
        return;
    if (fault && fault->kind == FaultKind::misdirected_write)
        offset = align_down(random.below(info.capacity_bytes - flight.bytes), 4096);
    if (fault && fault->kind == FaultKind::flip_on_write)
        data[random.below(data.size())] ^= static_cast<u8>(1u << random.below(8));
    m_image.write(offset, data.data(), data.size());
}

void Disk::complete(u64 slot)
{
    Flight flight = m_flights[slot];
    host_io& io = flight.request->io;
    if (hangs) {
        Scheduler& scheduler = Scheduler::get();
        scheduler.at(scheduler.now_ns() + 20000000 + scheduler.random().below(20000000),
                     [](void* disk, u64 slot) { static_cast<Disk*>(disk)->complete(slot); }, this, slot);
        return;
    }
    const Fault* fault = fault_for(io);
    if (fault && fault->kind == FaultKind::stall) {
        Scheduler& scheduler = Scheduler::get();
        scheduler.at(scheduler.now_ns() + 20ull * 1000000000,
                     [](void* disk, u64 slot) { static_cast<Disk*>(disk)->complete(slot); }, this, slot);
        return;
    }
    Random& random = Scheduler::get().random();
    const bool chance = fails_one_in && random.one_in(fails_one_in);
    const host_io_status way = refuses != HOST_IO_OK ? refuses : chance ? HOST_IO_ERROR : HOST_IO_OK;
    // The way back was broken, not the way there.
    if (way != HOST_IO_OK && flight.write && !offline && random.one_in(2))
        finish_write(flight, nullptr);
    host_io_status status = fault && fault->kind == FaultKind::error ? fault->status : HOST_IO_OK;
    if (way != HOST_IO_OK)
        status = way;
    if (offline)
        status = HOST_IO_OFFLINE;
    if (status == HOST_IO_OK) {
        if (flight.write) {
            finish_write(flight, fault);
            writes_done++;
            bytes_written += flight.bytes;
        } else if (io.op == HOST_IO_READ) {
            std::vector<u8> data(flight.bytes);
            m_image.read(flight.offset, data.data(), data.size());
            const bool flips = flips_one_in && random.one_in(flips_one_in);
            if (flips || (fault && fault->kind == FaultKind::flip_on_read)) {
                Random& random = Scheduler::get().random();
                data[random.below(data.size())] ^= static_cast<u8>(1u << random.below(8));
            }
            flight.request->scatter(data.data());
            reads_done++;
        } else {
            flushes_done++;
        }
    }
    if (m_log && (flight.write || io.op == HOST_IO_FLUSH)) {
        LoggedWrite& logged = m_log->writes[flight.logged];
        logged.drops = io.op == HOST_IO_FLUSH && fault && fault->kind == FaultKind::error
            && (fault->status == HOST_IO_MEDIUM || fault->status == HOST_IO_ERROR);
        logged.failed = status != HOST_IO_OK || (fault && fault->kind == FaultKind::lost_write);
        m_log->events.push_back({ flight.logged, true });
        logged.completed = m_log->position();
    }
    m_flights[slot].request = nullptr;
    m_in_flight--;
    flight.request->complete(status);
}

}
