// SPDX-License-Identifier: GPL-2.0-only
// What the opaque handles of core.h are, and the way from Result to errno.
#pragma once

#include "core/api/core.h"
#include "core/pool/pool.h"

namespace lcpfs {

inline Pool& pool_of(core_pool* handle) { return *reinterpret_cast<Pool*>(handle); }
inline Dataset& dataset_of(core_dataset* handle) { return *reinterpret_cast<Dataset*>(handle); }
inline Object& object_of(core_object* handle) { return *reinterpret_cast<Object*>(handle); }
inline Pool& pool_of(Object& object) { return *object.dataset().host().pool; }
inline core_object* handle_of(Ref<Object>&& object) { return reinterpret_cast<core_object*>(object.leak()); }

inline int to_errno(Error error) { return -errno_of(error); }
template <typename T>
int to_errno(const Result<T>& result) { return -errno_of(result.error()); }

inline Time time_of(core_time time) { return Time { time.seconds, time.nanoseconds }; }
inline core_time time_of(Time time) { return core_time { time.seconds, time.nanoseconds }; }
inline Bytes bytes_of_name(const char* name, u32 length) { return { reinterpret_cast<const u8*>(name), length }; }

}
