// SPDX-License-Identifier: GPL-2.0-only
// An intent log over a device in memory, without the rest of a pool.
#pragma once

#include "core/test/device.h"
#include "core/zil/reader.h"

namespace lcpfs {

// A device, a ring of two runs on it, an engine whose commits only tell the log.
struct LogGround {
    static constexpr u64 k_device_bytes = 16ull << 20;
    static constexpr DiskGuid k_pool { { 7, 7, 1 } };
    static constexpr u64 k_generation = 0x1234567890abcdefull;
    static constexpr u32 k_first_blocks = 96, k_second_blocks = 64; // of the two runs
    static constexpr u64 k_first_run = k_first_metaslab_block + 100, k_second_run = k_first_metaslab_block + 1024 + 300;

    TestDevice device { k_device_bytes };
    TestDevice second { TestDevice::PathTo { device } }; // a path, once it is added
    Box<VdevSet> vdevs;
    Box<TxgEngine> engine;
    Box<IntentLog> log;
    LogTail committed_tail { k_generation, 0, 1, 0 };
    LogTail previous_tail { k_generation, 0, 1, 0 };
    TxgId committed { 10 };
    Mutex lock { LCPFS_RANK_test };
    u32 failures { 0 };
    Event event;
    Atomic<u8> is_slow { 0 }; // a group that is to commit waits until it is not

    // Of one moment: groups asked for early commit while the test goes on.
    LogTail newest(TxgId& txg, LogTail* previous = nullptr)
    {
        MutexGuard guard(lock);
        txg = committed;
        if (previous)
            *previous = previous_tail;
        return committed_tail;
    }
    static Status sync(void* self, TxgId txg)
    {
        LogGround& ground = *static_cast<LogGround*>(self);
        ground.event.wait([&] { return !ground.is_slow.load(); });
        const LogTail tail = ground.log->tail_for(txg);
        {
            MutexGuard guard(ground.lock);
            ground.previous_tail = ground.committed_tail;
            ground.committed_tail = tail;
            ground.committed = txg;
        }
        ground.log->committed(txg, tail);
        return {};
    }
    static void failed(void* self, const IntentLog::Failure&) { static_cast<LogGround*>(self)->failures++; }

    Result<LogRing> make_ring()
    {
        LogRing ring;
        TRY(ring.add(*vdevs, { k_first_run, k_first_blocks, VdevId(0) }));
        TRY(ring.add(*vdevs, { k_second_run, k_second_blocks, VdevId(0) }));
        return ring;
    }
    Status start()
    {
        if (!device)
            return Error::no_memory;
        Vector<Box<Vdev>> list;
        Box<Vdev> vdev = TRY(make_box<Vdev>());
        vdev->bdev = device.get();
        vdev->capacity_blocks = k_device_bytes / k_block_size;
        vdev->metaslab_blocks = 1024;
        vdev->metaslab_count = 3;
        TRY(list.push_back(lcpfs::move(vdev)));
        vdevs = TRY(VdevSet::create(lcpfs::move(list)));
        TxgEngine::Hooks hooks {};
        hooks.sync = sync;
        hooks.is_full = [](void*) { return false; };
        hooks.context = this;
        engine = TRY(TxgEngine::create(hooks));
        log = TRY(IntentLog::create(*vdevs, *engine, k_pool, { failed, this }));
        log->set_ring(TRY(make_ring()));
        log->begin(committed_tail, 0, TxgId(10));
        TRY(log->reserve());
        log->turn_on();
        log->writer().durability().set(VdevId(0), Durable::by_fua); // which is faster is a matter of chance here
        engine->set_committed(TxgId(10));
        return engine->start(3600ull * 1000000000);
    }
    ~LogGround()
    {
        if (engine)
            engine->stop(true);
        log.reset();
    }
    // One record with `bytes` of payload that say its number.
    TxgId add(u32 bytes)
    {
        TxgHold hold(*engine);
        Box<LogRecord> record = log->prepare(LogOpcode::truncate, 77, bytes);
        if (record) {
            for (u32 i = 0; i < bytes; i++)
                record->payload()[i] = static_cast<u8>(i + bytes);
        }
        log->append(hold.txg(), lcpfs::move(record));
        return hold.txg();
    }
    // Where the next frame goes, from the first one on.
    u64 position()
    {
        LogStatistics statistics {};
        log->get_statistics(statistics);
        return statistics.position;
    }
    // Seconds at most.
    template <typename Condition>
    bool wait_for(Condition condition)
    {
        for (u32 i = 0; i < 10000 && !condition(); i++)
            (void)event.wait_timeout(1000000, [&] { return condition(); });
        return condition();
    }
    void add_barrier()
    {
        TxgHold hold(*engine);
        log->append(hold.txg(), {});
    }
    u64 writes() { return vdevs->counters().writes.load(); }
    // A write that nobody waits for counts when it has ended. Whether it does in time.
    bool await_writes(u64 count)
    {
        Event never;
        for (u32 i = 0; i < 2000 && writes() < count; i++)
            (void)never.wait_timeout(k_ns_per_ms, [] { return false; });
        return writes() == count;
    }
    u64 flushes() { return vdevs->counters().flushes.load(); }
    // What a mount would find, from the newest tail.
    Status read(LogReader& reader, TxgId committed) { return reader.read(committed_tail, committed); }
    // The sector there cannot be read any more.
    void spoil(u64 position)
    {
        lcpfs_test_device_spoil(device.get(), align_down(log->ring().place(position).offset_bytes, u64(512)), 512);
    }
    void mend() { lcpfs_test_device_spoil(device.get(), 0, 0); }
    void flip(u64 position)
    {
        const LogRing::Place place = log->ring().place(position);
        u8 byte;
        lcpfs_test_device_peek(device.get(), place.offset_bytes, &byte, 1);
        byte ^= 4;
        lcpfs_test_device_poke(device.get(), place.offset_bytes, &byte, 1);
    }
};

}
