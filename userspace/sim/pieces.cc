// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/pieces.h"

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/partition_churn.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_pieces = 120;
constexpr u64 k_piece_blocks = 32;
constexpr u64 k_kept = 4; // one of so many

struct Piece {
    std::string name;
    u64 id;
};

void expect_done(int error, const char* what)
{
    if (error)
        fail("making pieces: %s gave %d", what, error);
}

Piece make_piece(Worker& worker, const std::string& name)
{
    Piece piece { name, 0 };
    expect_done(worker.create(worker.options().root, name, 0100644, "", &piece.id), "create");
    return piece;
}

u64 blocks_of(const Worker& worker, u64 id) { return blocks_for_bytes(worker.tree().at(id).attr.size_bytes); }

// Makes what several reach, and what reaches only some of what is stored.
void entangle(Worker& worker, u64 number, const Piece& piece, const Piece& other, Random& random)
{
    const u64 blocks = blocks_of(worker, piece.id);
    const u64 first = random.below(blocks), count = random.between(1, blocks - first);
    switch (random.below(6)) {
    case 0: {
        const Piece copy = make_piece(worker, "all" + std::to_string(number));
        expect_done(worker.clone(piece.id, 0, copy.id, 0, blocks), "clone");
        break;
    }
    case 1: {
        const Piece copy = make_piece(worker, "some" + std::to_string(number));
        expect_done(worker.clone(piece.id, first, copy.id, random.below(4), count), "clone");
        break;
    }
    case 2:
        if (other.id != piece.id)
            expect_done(worker.clone(piece.id, first, other.id, random.below(k_piece_blocks), count), "clone");
        break;
    case 3:
        expect_done(worker.write(piece.id, first, min<u64>(count, 3), blocks * CORE_BLOCK_SIZE), "write");
        break;
    case 4:
        expect_done(worker.punch(piece.id, first, random.between(1, 8)), "punch");
        break;
    default:
        if (blocks > 4)
            expect_done(worker.truncate(piece.id, random.between(4 * CORE_BLOCK_SIZE, blocks * CORE_BLOCK_SIZE)), "truncate");
        break;
    }
}

}

void make_pieces(Worker& worker, Random& random)
{
    std::vector<Piece> kept, removed;
    for (u64 i = 0; i < k_pieces; i++) {
        const Piece piece = make_piece(worker, "piece" + std::to_string(i));
        expect_done(worker.write(piece.id, 0, k_piece_blocks, k_piece_blocks * CORE_BLOCK_SIZE), "write");
        (i % k_kept ? removed : kept).push_back(piece);
    }
    for (u64 i = kept.size() * 2; i > 0; i--)
        entangle(worker, i, kept[random.below(kept.size())], kept[random.below(kept.size())], random);
    for (const Piece& piece : removed)
        expect_done(worker.unlink(worker.options().root, piece.name), "unlink");
    for (u32 i = 0; i < 3; i++)
        worker.sync_pool();
}

Fiber* Evacuations::start()
{
    return Scheduler::get().start("evacuations", [](void* self) { static_cast<Evacuations*>(self)->live(); }, this);
}

void Evacuations::join(Fiber* fiber)
{
    m_is_over = true;
    Scheduler::get().join(fiber);
}

void Evacuations::live()
{
    const Evacuation& evacuation = pool_of(m_run.pool()).partitions().evacuation();
    bool is_in_one = false;
    while (!m_is_over) {
        if (evacuation.owner == k_nobody) {
            m_moved += is_in_one ? m_moved_in_this : 0;
            is_in_one = false;
            ask_for_evacuation(m_run.pool(), m_random);
        } else {
            m_moved_in_this = evacuation.moved_blocks;
            const u64 position = m_run.log().position();
            if (!is_in_one)
                m_spans.push_back({ position, position });
            m_spans.back().to = position;
            is_in_one = true;
        }
        Scheduler::get().sleep_ns(m_random.below(2000000));
    }
    m_moved += is_in_one ? m_moved_in_this : 0;
}

u64 Evacuations::random_position(Random& random, u64 end) const
{
    if (m_spans.empty())
        return random.below(end + 1);
    const Span& span = m_spans[random.below(m_spans.size())];
    return random.between(span.from, span.to);
}

}
