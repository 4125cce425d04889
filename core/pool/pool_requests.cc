// SPDX-License-Identifier: GPL-2.0-only
// Pool: what reads and writes of files take their memory from, and who goes on with them.
#include "core/pool/requests.h"
#include "core/pool/pool.h"

namespace lcpfs {

Status Pool::make_request_pools()
{
    m_requests.small_reads = host_pool_create("lcpfs_read_small", k_small_read_bytes, 0);
    m_requests.large_reads = host_pool_create("lcpfs_read_large", k_large_read_bytes, 0);
    m_requests.read_runs = host_pool_create("lcpfs_read_run", k_read_run_bytes, 0);
    m_requests.writes = host_pool_create("lcpfs_write", k_write_bytes, 0);
    m_requests.write_runs = host_pool_create("lcpfs_write_run", k_write_run_bytes, 0);
    m_requests.scratch = host_pool_create("lcpfs_scratch", k_scratch_bytes, 0);
    m_requests.pages = host_pool_create("lcpfs_page", k_block_size, 0);
    m_requests.moved_pages = host_pool_create("lcpfs_moved_page", k_block_size, 0);
    if (!m_requests.small_reads || !m_requests.large_reads || !m_requests.read_runs || !m_requests.writes || !m_requests.write_runs
        || !m_requests.scratch || !m_requests.pages || !m_requests.moved_pages)
        return Error::no_memory;
    return {};
}

void Pool::release_request_pools()
{
    host_pool* const pools[] = { m_requests.small_reads, m_requests.large_reads, m_requests.read_runs, m_requests.writes,
        m_requests.write_runs, m_requests.scratch, m_requests.pages, m_requests.moved_pages, m_requests.units };
    for (host_pool* pool : pools)
        host_pool_destroy(pool);
    m_requests = RequestPools();
}

Status Pool::start_requests()
{
    m_completions = host_workqueue_create("lcpfs-io");
    if (!m_completions)
        return Error::no_memory;
    TRY(make_request_pools());
    if (m_label->header.incompat.get() & k_incompat_compression)
        TRY(start_compression());
    return {};
}

}
