// SPDX-License-Identifier: GPL-2.0-only
// Object records: whatever decodes encodes to something that decodes to the same.
#include "core/object/record.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    std::vector<u8> record = input.rest();
    ObjectAttributes attributes;
    RecordRoots roots;
    if (decode_record(bytes_in(record), attributes, roots).is_error())
        return 0;
    std::vector<u8> again(k_max_record_bytes);
    u32 bytes = encode_record(attributes, roots, { again.data(), again.size() });
    FUZZ_CHECK(bytes <= again.size());
    again.resize(bytes);
    ObjectAttributes attributes_again;
    RecordRoots roots_again;
    FUZZ_CHECK(decode_record(bytes_in(again), attributes_again, roots_again).is_ok());
    FUZZ_CHECK(attributes_again.size_bytes == attributes.size_bytes && attributes_again.mode == attributes.mode);
    const RecordRoot* const pairs[2][2] = { { &roots.body, &roots_again.body }, { &roots.xattrs, &roots_again.xattrs } };
    for (const auto& pair : pairs)
        FUZZ_CHECK(pair[0]->form == pair[1]->form && pair[0]->kind == pair[1]->kind && equal(pair[0]->items, pair[1]->items));
    return 0;
}
