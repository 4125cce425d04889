// SPDX-License-Identifier: GPL-2.0-only
// Items of extended attributes, and lists of POSIX ACLs.
#include "core/object/xattr.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    std::vector<u8> key = input.take_bytes(input.take<u8>() + size_t(3));
    std::vector<u8> value = input.rest();
    (void)is_acl(bytes_in(value));
    auto decoded = XattrPart::decode(bytes_in(key), bytes_in(value));
    if (decoded.is_error())
        return 0;
    const XattrPart& part = decoded.value();
    FUZZ_CHECK(part.name.size() >= 1 && part.name.size() <= k_max_xattr_name_bytes && part.part < k_max_xattr_parts);
    FUZZ_CHECK(equal(XattrKey(part.name, part.generation, part.part).bytes(), bytes_in(key)));
    std::vector<u8> whole(part.value_bytes);
    std::copy(part.bytes.begin(), part.bytes.end(), whole.begin() + part.part * k_xattr_part_bytes);
    std::vector<u8> again(k_max_xattr_item_bytes);
    again.resize(encode_xattr_part(bytes_in(whole), part.part, again.data()));
    FUZZ_CHECK(equal(bytes_in(again), bytes_in(value)));
    XattrSequence sequence;
    if (sequence.take(part).is_ok())
        FUZZ_CHECK(part.part == 0 && sequence.is_whole() == (part.value_bytes <= k_xattr_part_bytes));
    return 0;
}
