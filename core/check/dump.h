// SPDX-License-Identifier: GPL-2.0-only
// What stands on disk, as lines for a person: core_dump and core_dump_device (core/api/core.h).
#pragma once

#include "core/base/format_text.h"
#include "core/pool/pool.h"

namespace lcpfs {

class Lines {
public:
    Lines(void (*line)(void*, const char*), void* context) : m_line(line), m_context(context) {}
    // put("group ", txg): texts and numbers in turn.
    template <typename... Parts>
    [[gnu::noinline]] void put(Parts... parts) const
    {
        TextLine text;
        (text.add(parts), ...);
        put_line(text);
    }
    void put_line(const TextLine& text) const { m_line(m_context, text.text()); }

private:
    void (*m_line)(void*, const char*);
    void* m_context;
};

// "labels" and "uberblocks" of one device, whether or not its pool can be opened. invalid for another word.
Status dump_device(host_bdev* bdev, StringView what, const Lines& lines);
// "labels", "uberblocks", "trees", "metaslabs", "log", "object:ID".
Status dump_pool(Pool& pool, StringView what, const Lines& lines);

void dump_label(const Label& label, const Lines& lines);
void dump_uberblock(const Uberblock& uberblock, const Lines& lines);
void dump_pointer(const char* what, const NodePointer& pointer, const Lines& lines);
// Frames and records. log_missing, log_damaged: after what can be read; io_offline: on a log device that is not there.
Status dump_log(Pool& pool, const Lines& lines);
Status dump_object(Pool& pool, DatasetId dataset, u64 id, const Lines& lines);

}
