// SPDX-License-Identifier: GPL-2.0-only
// Directory entries.
#include "core/object/name.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    std::vector<u8> key = input.take_bytes(input.take<u8>() % 4 ? 8 : 7);
    std::vector<u8> value = input.rest();
    auto decoded = Name::decode(bytes_in(key), bytes_in(value));
    if (decoded.is_error())
        return 0;
    const Name& name = decoded.value();
    FUZZ_CHECK(name.text.size() >= 1 && name.text.size() <= k_max_name_bytes);
    FUZZ_CHECK(name.cookie > 2 && name.cookie >> 63 == 0);
    std::vector<u8> again(k_max_name_value_bytes);
    again.resize(encode_name(name.object, name.type, name.text, again.data()));
    auto twice = Name::decode(bytes_in(key), bytes_in(again));
    FUZZ_CHECK(twice.is_ok() && twice.value().object == name.object && equal(twice.value().text, name.text));
    return 0;
}
