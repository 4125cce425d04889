// SPDX-License-Identifier: GPL-2.0-only
// LogDurability: what makes a log write durable, for each device of the ring: nothing more, on a device without a volatile
// cache; FUA; or a flush behind it.
//
// On a device that has FUA the faster of the two is taken, measured when the log is turned on: a few blocks of zeros written
// far from where the next frames go, in the part of the ring that nothing needs, so that the first fsync finds everything decided.
// A flush has to be faster by an eighth, since it is a second round trip and makes others' data durable too. Where the device
// has no FUA, the host makes a write and a flush of it, and there is nothing to measure; nor is the pool's own ring measured while
// a log device serves: where it takes over, FUA is used until the next opening.
#pragma once

#include "core/vdev/vdev_set.h"
#include "core/zil/ring.h"

namespace lcpfs {

enum class Durable : u8 { by_write, by_fua, by_flush };

class LogDurability {
public:
    struct Choice {
        Durable by { Durable::by_fua };
        u64 fua_ns { 0 }, flush_ns { 0 }; // medians; 0: not measured
    };
    explicit LogDurability(VdevSet& vdevs) : m_vdevs(vdevs) {}

    // [from, end): positions that hold nothing anybody needs. An error of a device leaves it at FUA. Sleepable.
    void measure(const LogRing& ring, u64 from, u64 end);
    static Durable faster(u64 fua_ns, u64 flush_ns) { return flush_ns + flush_ns / 8 < fua_ns ? Durable::by_flush : Durable::by_fua; }

    Durable of(VdevId vdev) const;
    Choice choice(VdevId vdev) const { return { of(vdev), m_choices[vdev.value()].fua_ns, m_choices[vdev.value()].flush_ns }; }
    void set(VdevId vdev, Durable by) { m_choices[vdev.value()].by = by; } // with nothing in flight

private:
    static constexpr u32 k_samples = 5;
    void measure_member(const LogRing& ring, u32 member, u64 from, u64 end, u8* page);
    Status measure_one(VdevId vdev, u64 offset_bytes, u8* page, Choice& choice);
    Result<u64> time_of(VdevId vdev, u64 offset_bytes, u8* page, Durable by);

    VdevSet& m_vdevs;
    Choice m_choices[k_max_vdevs];
};

}
