// SPDX-License-Identifier: GPL-2.0-only
// Tree nodes: whatever verifies can be searched, changed and copied without leaving the page.
#include "core/cache/node_page.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

static void use(NodePage& page, FuzzInput& input)
{
    page.recount();
    u32 used = 0;
    for (u32 i = 0; i < page.count(); i++) {
        used += NodePage::item_cost(page.key(i).size(), page.value(i).size());
        bool exact = false;
        FUZZ_CHECK(page.lower_bound(page.key(i), exact) == i && exact);
    }
    FUZZ_CHECK(used == page.used_bytes());
    for (int change = 0; change < 40 && input.left(); change++) {
        u8 what = input.take<u8>();
        if (what % 2 && page.count()) {
            page.remove(input.take<u16>() % page.count());
            continue;
        }
        std::vector<u8> key = input.take_bytes(1 + input.take<u8>() % 16);
        std::vector<u8> value = input.take_bytes(input.take<u8>());
        bool exact = false;
        u32 at = page.lower_bound(bytes_in(key), exact);
        if (!exact && !key.empty() && page.can_hold(NodePage::item_cost(key.size(), value.size()))) {
            page.insert(at, bytes_in(key), bytes_in(value));
            FUZZ_CHECK(equal(page.key(at), bytes_in(key)) && equal(page.value(at), bytes_in(value)));
        }
    }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    u32 capacity = 16384u << input.take<u8>() % 2;
    std::vector<u8> buffer = input.take_bytes(capacity);
    buffer.resize(capacity);
    NodePage page(buffer.data(), capacity);
    // What a reader compares with comes from the pointer; take it from the page, so that the rest gets looked at.
    DiskNodeHeader& header = page.header();
    TreeOwner owner { static_cast<TreeKind>(header.kind), header.dataset.get(), header.object.get() };
    if (input.take<u8>() % 2) {
        header.magic.set(k_node_magic);
        header.node_bytes.set(capacity);
    }
    if (page.verify(owner, header.level, header.birth_txg.get()).is_ok() && header.level == 0)
        use(page, input);
    return 0;
}
