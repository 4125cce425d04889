// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_probe.h"

namespace lcpfs {

static u64 probe_checksum(const DiskProbe& probe)
{
    return host_xxh64(&probe, offsetof(DiskProbe, checksum), k_probe_version);
}

void seal_probe(DiskProbe& probe)
{
    probe.magic.set(k_probe_magic);
    probe.version.set(k_probe_version);
    probe.checksum.set(probe_checksum(probe));
}

Status verify_probe(const DiskProbe& probe, const DiskGuid& pool_guid, const DiskGuid& vdev_guid)
{
    VERIFY_DISK(probe.magic.get() == k_probe_magic && probe.version.get() == k_probe_version, not_found);
    VERIFY_DISK(probe.checksum.get() == probe_checksum(probe), node_checksum);
    VERIFY_DISK(compare_bytes(&probe.pool_guid, &pool_guid, sizeof(pool_guid)) == 0, device_foreign);
    VERIFY_DISK(compare_bytes(&probe.vdev_guid, &vdev_guid, sizeof(vdev_guid)) == 0, device_foreign);
    return {};
}

Result<Box<PathProbe>> PathProbe::create(const PathShared& shared)
{
    Box<PathProbe> probe = TRY(make_box<PathProbe>(shared));
    host_work_init(&probe->m_work, run);
    probe->m_block = static_cast<DiskProbe*>(host_pool_alloc(shared.pages, HOST_ALLOC_ZERO));
    if (!probe->m_block)
        return Error::no_memory;
    return probe;
}

PathProbe::~PathProbe()
{
    if (m_block)
        host_pool_free(m_shared.pages, m_block);
}

bool PathProbe::start(const Job& job)
{
    u8 idle = 0;
    if (!m_running.compare_exchange(idle, 1))
        return false;
    m_job = job;
    m_writing.store(job.writer != nullptr);
    m_step = Step::begin;
    host_work_queue(m_shared.queue, &m_work);
    return true;
}

void PathProbe::run(host_work* work) { reinterpret_cast<PathProbe*>(work)->step(); }

void PathProbe::send(host_io_op op, Path& path, Step next)
{
    m_step = next;
    host_io* io = host_io_alloc(m_shared.requests, nullptr, op,
                                op == HOST_IO_WRITE ? HOST_IO_FUA | HOST_IO_SYNC | HOST_IO_META : HOST_IO_SYNC | HOST_IO_META, 1);
    io->bdev = path.bdev;
    io->offset_bytes = label_offset(0, 0) + k_label_probe_offset;
    io->context = this;
    host_io_add(io, m_block, k_probe_bytes); // a page in an empty request: it fits
    io->done = [](host_io* ended) {
        PathProbe* self = static_cast<PathProbe*>(ended->context);
        self->m_status = ended->status;
        const u64 now_ns = host_monotonic_ns();
        self->m_latency_us = static_cast<u32>(min<u64>((now_ns - self->m_sent_ns) / k_ns_per_us, ~0u - 1));
        host_io_free(ended);
        host_work_queue(self->m_shared.queue, &self->m_work);
    };
    m_sent_ns = host_monotonic_ns();
    host_io_submit(io);
}

void PathProbe::step()
{
    switch (m_step) {
    case Step::begin:
        if (!m_job.writer)
            return send(HOST_IO_READ, *m_job.path, Step::read);
        zero_bytes(m_block, sizeof(*m_block));
        m_block->pool_guid = m_shared.pool_guid;
        m_block->vdev_guid = m_job.vdev_guid;
        m_block->nonce[0].set(m_job.nonce.sequence);
        m_block->nonce[1].set(m_job.nonce.random);
        m_block->written_ns.set(static_cast<u64>(host_realtime_ns()));
        seal_probe(*m_block);
        return send(HOST_IO_WRITE, *m_job.writer, Step::written);
    case Step::written:
        m_writing.store(0);
        if (m_status != HOST_IO_OK)
            return finish(ProbeOutcome::unclear);
        zero_bytes(m_block, sizeof(*m_block));
        return send(HOST_IO_READ, *m_job.path, Step::read);
    case Step::read:
        return finish(judge());
    }
}

ProbeOutcome PathProbe::judge() const
{
    if (m_status != HOST_IO_OK)
        return ProbeOutcome::no_answer;
    const Error error = verify_probe(*m_block, m_shared.pool_guid, m_job.vdev_guid).error();
    if (error == Error::node_checksum)
        return ProbeOutcome::unclear;
    const ProbeNonce found { m_block->nonce[0].get(), m_block->nonce[1].get() };
    const bool right = error == Error::none && m_job.knows(m_job.context, found, m_job.writer ? m_job.nonce.sequence : 0);
    return right ? ProbeOutcome::good : ProbeOutcome::other_disk;
}

void PathProbe::finish(ProbeOutcome outcome)
{
    m_job.done(m_job.context, *this, outcome, m_latency_us);
}

}
