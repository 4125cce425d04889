// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/repair.h"

#include "core/repair/dataset.h"
#include "core/repair/tables.h"

namespace lcpfs {

namespace {

// Copies of labels that are damaged, from the pool's own, or where that knows no such device from another of the same one: what two
// devices say may differ. After the commit, and but for their heads: a damaged label may have the only uberblock of the newest group.
Status mend_labels(Pool& pool, Findings& findings)
{
    Box<Label> label = TRY(make_box<Label>());
    for (u16 i = 0; i < pool.vdevs().count(); i++) {
        const Vdev& vdev = pool.vdevs().vdev(VdevId(i));
        if (!vdev.is_there())
            continue;
        Box<Label> right = TRY(make_box<Label>());
        copy_bytes(right.get(), &pool.label(), sizeof(Label));
        right->header.vdev_index.set(i);
        right->header.vdev_guid = vdev.guid;
        seal_label(*right);
        if (verify_label(*right).is_error())
            right = TRY(read_label(vdev.bdev));
        for (u32 copy = 0; copy < k_label_count; copy++) {
            Status status = read_label_copy(vdev.bdev, copy, vdev.capacity_blocks, *label);
            if (status.is_ok())
                status = verify_label(*label).error();
            const bool is_ours = status.is_ok() && label->header.vdev_index.get() == i
                && compare_bytes(label->header.pool_guid.bytes, right->header.pool_guid.bytes, sizeof(DiskGuid)) == 0;
            if (is_ours || status.error() == Error::no_memory)
                continue;
            const bool is_written = write_label_copy(vdev.bdev, copy, *right).is_ok();
            findings.say("device ", u64(i), " (", vdev.name, "): label ", u64(copy), is_written ? " written again" : " cannot be written");
        }
    }
    return {};
}

}

Result<RepairOutcome> repair_pool(Span<host_bdev* const> bdevs, u64 group, Findings& findings)
{
    Box<Pool> pool = TRY(Pool::open_bare(bdevs, TxgId(group)));
    const Uberblock& from = pool->uberblock();
    findings.set_total(from.used_blocks);
    Box<RepairContext> context = TRY(make_box<RepairContext>(*pool, findings, TxgId(pool->engine().committed_txg().value() + 1)));
    TRY(context->start());
    Box<PoolTables> tables = TRY(make_box<PoolTables>(*context));
    TRY(tables->read());
    for (PoolTables::Seen& seen : tables->datasets()) {
        Box<DatasetRepair> dataset = TRY(make_box<DatasetRepair>(*context, seen.id, seen.record));
        findings.set_dataset(seen.id == k_default_dataset ? 0 : seen.id);
        TRY(dataset->run());
    }
    findings.set_dataset(0);
    Uberblock next = from;
    next.txg = context->txg;
    next.previous = from.txg;
    next.log_txg = from.replayed();
    if (group) // what the log has is of groups that are given up
        next.log_generation = 0;
    next.time_ns = host_realtime_ns();
    TRY(tables->write(next));
    TRY(Status(context->failure));
    TRY(pool->commit_repaired(next));
    TRY(context->mend_copies());
    TRY(mend_labels(*pool, findings));
    RepairOutcome outcome;
    outcome.group = from.txg.value();
    outcome.new_group = next.txg.value();
    outcome.hurt = lcpfs::move(context->hurt);
    outcome.lacks_log = context->lacks_log;
    return outcome;
}

}
