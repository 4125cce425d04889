// SPDX-License-Identifier: GPL-2.0-only
// Placement: which vdev, and there which metaslab, an allocation goes to.
//
// Which metaslabs will do is a matter of who asks (owners.h); a tenant is a partition for its data, or nobody for metadata.
//
// A cursor is a metaslab in which one kind of allocation goes on for as long as it serves. There is one per vdev and
// tenant, and for data one for each of up to four lanes (by CPU) on vdevs with metaslabs enough, so that writers neither
// wait for one mutex nor cut up each other's runs. Only when a cursor's metaslab is exhausted are the counters of
// all metaslabs of the vdev looked over; on a pool too fragmented to serve what is wanted a cursor lowers what it
// accepts, until frees come in, so that this stays rare.
//
// No locks: cursors are atomics, and a stale one costs a detour, never correctness.
#pragma once

#include "core/alloc/metaslab.h"

namespace lcpfs {

enum class AllocClass : u8 { metadata, data };

class Placement {
public:
    explicit Placement(AllocatorShared& shared) : m_shared(shared) {}
    // `metaslabs` of all vdevs with the place of each vdev's first; they outlive this.
    Status start(Span<Metaslab*> metaslabs, Span<size_t> first);

    Result<Dva> allocate(const Tenant& tenant, const Wish& wish, VdevId avoid);
    // Space came back: cursors may ask for long runs again.
    void expect_long_runs();

private:
    static constexpr u32 k_lanes = 4;
    static constexpr u32 k_metaslabs_per_lane = 16;
    static constexpr u32 k_accept = 64; // shortest run taken where 256 are wanted, before lowering
    struct Cursor {
        Atomic<Metaslab*> metaslab { nullptr };
        Atomic<u32> accept { k_accept };
    };
    struct Cursors { // of a vdev
        Cursor of[k_owner_slots][k_lanes];
    };

    Span<Metaslab*> metaslabs_of(VdevId vdev) const;
    size_t choose_vdev(OwnerSlot slot, u32 blocks);
    bool is_short_of_space(VdevId vdev) const;
    Result<Dva> allocate_on(VdevId vdev, const Tenant& tenant, const Wish& wish, u32 accept, Cursor& cursor);
    Metaslab* choose_metaslab(VdevId vdev, const Tenant& tenant, const Wish& wish, const Metaslab* not_this) const;
    Result<Dva> allocate_broken(VdevId vdev, const Tenant& tenant, const Wish& wish);
    Cursor& cursor_of(VdevId vdev, OwnerSlot slot);

    AllocatorShared& m_shared;
    Span<Metaslab*> m_metaslabs;
    Span<size_t> m_first;
    u16 m_vdevs[k_max_vdevs] {}; // those with metaslabs
    size_t m_vdev_count { 0 };
    Vector<Box<Cursors>> m_cursors;
    Atomic<u64> m_rotor[2];
};

}
