// SPDX-License-Identifier: GPL-2.0-only
// Opening what a crash left: reading the intent log and doing again what the committed group lacks.
//
// Order: every block that a logged extent says is in use is claimed, so that nothing replay allocates lands on it; then each
// record is applied by the same code that did the operation, in order, all in the first open group. The commit that
// follows also starts a new generation of the log: it is done, or, after a crash before it, done again from the start with the same
// outcome, since nothing in use was written to.
//
// Records say everything that time and chance decided when the operation was done (ids, generations, times, places of data), so the
// outcome is the same to the last attribute.
#pragma once

#include "core/fs/names.h"
#include "core/zil/reader.h"

namespace lcpfs {

// Between Pool::open and Pool::start. log_missing: acknowledged frames are missing and discard_log was not asked for;
// log_pending: read-only, and there is something to replay; log_opcode; log_replay; errors of a device, which say nothing of the log;
// each with a line in the log. bitmap_damaged: of blocks that records claim; it has to be made anew first.
// When discard_log gives up a log device that is missing, the pool's own ring is replayed if it is the one in use;
// `drops_pool_ring`: not even that, since it cannot be.
Status recover_log(Pool& pool, const core_pool_options& options, bool drops_pool_ring = false);

// One record, in the open group. The log is off.
Status replay_record(Pool& pool, const LogRecordView& record);
// Each run of blocks that a record says are in use and no committed group does. log_opcode, log_damaged, errors of `claim`.
Status claims_of(const LogRecordView& record, Status (*claim)(void* context, const Dva& dva), void* context);
// The number of the object that a record makes; 0: none.
u64 object_made_by(const LogRecordView& record);
// Takes the runs of claims_of, at opening.
Status claim_record(Pool& pool, const LogRecordView& record);

}
