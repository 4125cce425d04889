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
    RecordRoot root;
    if (decode_record(bytes_in(record), attributes, root).is_error())
        return 0;
    std::vector<u8> again(k_max_record_bytes);
    u32 bytes = encode_record(attributes, root, { again.data(), again.size() });
    FUZZ_CHECK(bytes <= again.size());
    again.resize(bytes);
    ObjectAttributes attributes_again;
    RecordRoot root_again;
    FUZZ_CHECK(decode_record(bytes_in(again), attributes_again, root_again).is_ok());
    FUZZ_CHECK(attributes_again.size_bytes == attributes.size_bytes && attributes_again.mode == attributes.mode);
    FUZZ_CHECK(root_again.form == root.form && root_again.kind == root.kind && root_again.items.size() == root.items.size());
    return 0;
}
