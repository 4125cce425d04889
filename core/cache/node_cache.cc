// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_cache.h"

namespace lcpfs {

namespace {

constexpr u32 k_small_bytes = 1024;
constexpr u32 k_medium_bytes = 4096;
constexpr u32 k_reserve = 64; // the sync thread's
constexpr u32 k_write_reserve = 32; // nodes on their way to disk when there is no memory for more
constexpr u32 k_first_buckets = 64;
constexpr u64 k_kit_retry_ns = 10ull * 1000 * 1000;
constexpr u32 k_kit_tries = 100;

// Most children a node can have: every item carries a node pointer.
u32 max_children(u32 node_bytes)
{
    return (node_bytes - sizeof(DiskNodeHeader)) / (sizeof(DiskNodePointer) + sizeof(DiskNodeSlot)) + 1;
}

// The kernel asks its caches in proportion to their counts, and an object is a few hundred bytes elsewhere: sixteen
// KiB counted as one would hardly ever be asked for. So KiB are counted.
u64 shrinker_count(void* context) { return static_cast<NodeCache*>(context)->counters().bytes.load_relaxed() / 1024; }
u64 shrinker_scan(void* context, u64 wanted)
{
    NodeCache& cache = *static_cast<NodeCache*>(context);
    const u64 node_kib = cache.node_bytes() / 1024;
    return cache.evict((wanted + node_kib - 1) / node_kib) * node_kib;
}

}

Result<Box<NodeCache>> NodeCache::create(VdevSet& vdevs, u32 node_bytes, u64 limit_bytes)
{
    void* memory = host_alloc(sizeof(NodeCache), 0);
    if (!memory)
        return Error::no_memory;
    Box<NodeCache> cache(::new (memory) NodeCache(vdevs, node_bytes, limit_bytes));
    cache->m_nodes = host_pool_create("lcpfs_node", sizeof(Node), 0);
    cache->m_small = host_pool_create("lcpfs_node_1k", k_small_bytes, 0);
    cache->m_medium = host_pool_create("lcpfs_node_4k", k_medium_bytes, 0);
    cache->m_full = host_pool_create("lcpfs_node_full", node_bytes, 0);
    cache->m_children = host_pool_create("lcpfs_node_children", max_children(node_bytes) * sizeof(Node*), 0);
    cache->m_write_buffers = host_pool_create("lcpfs_node_write", node_bytes, 0);
    cache->m_write_states = host_pool_create("lcpfs_node_io", k_write_state_bytes, 0);
    host_pool* const pools[] = { cache->m_nodes, cache->m_small, cache->m_medium, cache->m_full, cache->m_children,
        cache->m_write_buffers, cache->m_write_states };
    for (host_pool* pool : pools)
        if (!pool)
            return Error::no_memory;
    u64 expected = max<u64>(limit_bytes / node_bytes, 1024);
    u32 buckets = k_first_buckets;
    while (u64(buckets) * k_shards < expected && buckets < 65536)
        buckets *= 2;
    cache->m_bucket_limit = buckets;
    for (Shard& shard : cache->m_shards) {
        shard.m_buckets = static_cast<Node**>(host_alloc(k_first_buckets * sizeof(Node*), HOST_ALLOC_ZERO));
        if (!shard.m_buckets)
            return Error::no_memory;
        shard.m_bucket_count = k_first_buckets;
    }
    cache->m_kit = TRY(NodeKit::create({ sizeof(Node), node_bytes, max_children(node_bytes) * u32(sizeof(Node*)) }));
    cache->m_shrinker = host_shrinker_register("lcpfs-nodes", shrinker_count, shrinker_scan, cache.get());
    if (!cache->m_shrinker)
        return Error::no_memory;
    return cache;
}

Status NodeCache::reserve()
{
    const bool is_there = host_pool_reserve(m_nodes, k_reserve) && host_pool_reserve(m_full, k_reserve)
        && host_pool_reserve(m_children, k_reserve) && host_pool_reserve(m_write_buffers, k_write_reserve)
        && host_pool_reserve(m_write_states, k_write_reserve);
    return is_there ? m_kit->reserve() : Status(Error::no_memory);
}

NodeCache::~NodeCache()
{
    if (m_shrinker)
        host_shrinker_unregister(m_shrinker);
    for (Shard& shard : m_shards) {
        if (shard.m_buckets)
            evict_from(shard, ~0ull);
        host_free(shard.m_buckets);
    }
    m_kit.reset();
    host_pool* const pools[] = { m_nodes, m_small, m_medium, m_full, m_children, m_write_buffers, m_write_states };
    for (host_pool* pool : pools)
        host_pool_destroy(pool);
}

u32 NodeCache::size_class(u32 bytes) const
{
    return bytes <= k_small_bytes ? k_small_bytes : bytes <= k_medium_bytes ? k_medium_bytes : m_node_bytes;
}

host_pool* NodeCache::pool_of(u32 capacity) const
{
    return capacity == k_small_bytes ? m_small : capacity == k_medium_bytes ? m_medium : m_full;
}

NodeCache::Taken NodeCache::take(host_pool* pool, host_pool* kit_pool, Must must)
{
    void* part = host_pool_alloc(pool, 0);
    if (!part && evict(16))
        part = host_pool_alloc(pool, 0);
    if (part || must == Must::may_fail)
        return { part, false };
    while (evict(64))
        if ((part = host_pool_alloc(pool, 0)))
            return { part, false };
    if (must == Must::kit)
        return { host_pool_alloc_reserved(kit_pool), true };
    return { host_pool_alloc_reserved(pool), false };
}

// Only full pages are kept in reserve: a smaller one that cannot be had becomes a full one.
NodeCache::Taken NodeCache::allocate_buffer(u32& capacity, Must must)
{
    if (capacity < m_node_bytes) {
        const Taken small = take(pool_of(capacity), nullptr, Must::may_fail);
        if (small.part || must == Must::may_fail)
            return small;
        capacity = m_node_bytes;
    }
    return take(m_full, m_kit->pages(), must);
}

NodeCache::KitTurn::KitTurn(NodeCache& cache) NO_THREAD_SAFETY_ANALYSIS : m_cache(cache)
{
    m_cache.m_kit->m_turn.lock();
    for (u32 tries = 0; !m_cache.m_kit->has_enough() && tries < k_kit_tries;) {
        if (m_cache.evict(64))
            continue;
        m_cache.m_kit_event.wait_timeout(k_kit_retry_ns, [] { return false; });
        tries++;
    }
}

NodeCache::KitTurn::~KitTurn() NO_THREAD_SAFETY_ANALYSIS { m_cache.m_kit->m_turn.unlock(); }

void NodeCache::free_buffer(Node& node)
{
    host_pool_free(node.m_kit_parts & Node::k_kit_page ? m_kit->pages() : pool_of(node.m_page.capacity()), node.m_page.buffer());
}

Result<Ref<Node>> NodeCache::make_node(u32 capacity, bool interior, TxgId birth, Node::State state, Must must)
{
    const Taken room = take(m_nodes, m_kit->nodes(), must);
    if (!room.part)
        return Error::no_memory;
    Ref<Node> node = Ref<Node>::adopt(*::new (room.part) Node(*this, birth, state));
    node->m_kit_parts = room.from_kit ? Node::k_kit_node : 0;
    const Taken buffer = allocate_buffer(capacity, must);
    if (!buffer.part)
        return Error::no_memory;
    node->m_page = NodePage(static_cast<u8*>(buffer.part), capacity);
    node->m_kit_parts |= buffer.from_kit ? Node::k_kit_page : 0;
    if (interior) {
        const Taken children = take(m_children, m_kit->children(), must);
        if (!children.part)
            return Error::no_memory;
        node->m_children = static_cast<Node**>(children.part);
        node->m_kit_parts |= children.from_kit ? Node::k_kit_children : 0;
        zero_bytes(node->m_children, max_children(m_node_bytes) * sizeof(Node*));
    }
    return node;
}

Result<Ref<Node>> NodeCache::make(const TreeOwner& owner, u8 level, TxgId birth, u32 wanted_bytes, Must must)
{
    u32 capacity = level > 0 ? m_node_bytes : size_class(wanted_bytes);
    Ref<Node> node = TRY(make_node(capacity, level > 0, birth, Node::State::dirty, must));
    node->m_page.initialise(owner, level, birth.value());
    return node;
}

Result<Ref<Node>> NodeCache::copy(const Node& node, TxgId birth, Must must)
{
    Ref<Node> made = TRY(make_node(node.m_page.capacity(), node.level() > 0, birth, Node::State::dirty, must));
    node.m_page.copy_to(made->m_page);
    made->m_page.header().birth_txg.set(birth.value());
    if (node.m_children) {
        for (u32 i = 0; i < node.m_page.count(); i++) {
            made->m_children[i] = node.m_children[i];
            if (made->m_children[i])
                made->m_children[i]->reference();
        }
    }
    return made;
}

Status NodeCache::grow(Node& node, u32 wanted_bytes, Must must)
{
    u32 old_capacity = node.m_page.capacity();
    u32 needed = old_capacity - node.m_page.room() + wanted_bytes;
    u32 capacity = size_class(needed);
    if (capacity <= old_capacity)
        return {};
    const Taken buffer = allocate_buffer(capacity, must);
    if (!buffer.part)
        return Error::no_memory;
    NodePage page(static_cast<u8*>(buffer.part), capacity);
    node.m_page.copy_to(page);
    free_buffer(node);
    node.m_page = page;
    node.m_kit_parts = static_cast<u8>((node.m_kit_parts & ~Node::k_kit_page) | (buffer.from_kit ? Node::k_kit_page : 0));
    return {};
}

void NodeCache::destroy(Node& node)
{
    if (node.m_children) {
        for (u32 i = 0; node.m_page.buffer() && i < node.m_page.count(); i++)
            if (Node* child = node.m_children[i])
                child->unreference();
        host_pool_free(node.m_kit_parts & Node::k_kit_children ? m_kit->children() : m_children, node.m_children);
    }
    if (node.m_page.buffer())
        free_buffer(node);
    host_pool* const home = node.m_kit_parts & Node::k_kit_node ? m_kit->nodes() : m_nodes;
    node.~Node();
    host_pool_free(home, &node);
}

u64 NodeCache::hash_of(const Dva& first)
{
    u64 mixed = (first.block << 8 ^ first.vdev.value()) * 0x9e3779b97f4a7c15ull;
    return mixed ^ mixed >> 29;
}

Node* NodeCache::find_locked(Shard& shard, u64 hash, const Dva& first, TxgId birth)
{
    for (Node* node = shard.m_buckets[(hash / k_shards) % shard.m_bucket_count]; node; node = node->m_hash_next)
        if (node->m_pointer.dva[0] == first && node->m_pointer.birth == birth)
            return node;
    return nullptr;
}

Result<Ref<Node>> NodeCache::find(const Dva& first, TxgId birth, u8 level, const TreeOwner& owner)
{
    u64 hash = hash_of(first);
    Shard& shard = shard_of(hash);
    SpinGuard guard(shard.m_lock);
    Node* const node = find_locked(shard, hash, first, birth);
    if (!node)
        return Ref<Node>();
    node->m_touched.store_relaxed(1);
    Ref<Node> found(*node);
    const DiskNodeHeader& head = node->m_page.header();
    // A damaged tree can name one node twice.
    VERIFY_DISK(head.kind == static_cast<u8>(owner.kind) && head.dataset.get() == owner.dataset
            && head.object.get() == owner.object && head.level == level, node_identity);
    return found;
}

Result<Ref<Node>> NodeCache::get(const NodePointer& pointer, const TreeOwner& owner, Must must)
{
    Ref<Node> node = TRY(find(pointer, owner));
    if (node)
        return node;
    node = TRY(read(pointer, owner, must));
    insert_unless_present(node);
    return node;
}

void NodeCache::insert_unless_present(Ref<Node>& node)
{
    u64 hash = hash_of(node->m_pointer.dva[0]);
    Shard& shard = shard_of(hash);
    Ref<Node> loser;
    bool is_crowded = false;
    {
        SpinGuard guard(shard.m_lock);
        if (Node* present = find_locked(shard, hash, node->m_pointer.dva[0], node->m_pointer.birth)) {
            loser = lcpfs::move(node);
            node = Ref<Node>(*present);
        } else {
            Node*& bucket = shard.m_buckets[(hash / k_shards) % shard.m_bucket_count];
            node->reference();
            node->m_hash_next = bucket;
            bucket = node.get();
            node->m_cached = true;
            shard.m_lru.push_back(*node);
            m_counters.nodes.add_relaxed(1);
            m_counters.bytes.add_relaxed(node->m_page.capacity());
            is_crowded = shard.m_lru.size() > 2 * shard.m_bucket_count && shard.m_bucket_count < m_bucket_limit;
        }
    }
    if (is_crowded)
        enlarge(shard);
    if (m_counters.bytes.load_relaxed() > limit_bytes())
        evict(8);
}

// Once, while there are few: the lock keeps interrupts off. Without memory it stays as it is.
void NodeCache::enlarge(Shard& shard)
{
    Node** spare = static_cast<Node**>(host_alloc(m_bucket_limit * sizeof(Node*), HOST_ALLOC_ZERO));
    if (!spare)
        return;
    {
        SpinGuard guard(shard.m_lock);
        if (shard.m_bucket_count < m_bucket_limit) {
            for (u32 i = 0; i < shard.m_bucket_count; i++)
                while (Node* node = shard.m_buckets[i]) {
                    shard.m_buckets[i] = node->m_hash_next;
                    Node*& bucket = spare[(hash_of(node->m_pointer.dva[0]) / k_shards) % m_bucket_limit];
                    node->m_hash_next = bucket;
                    bucket = node;
                }
            lcpfs::swap(shard.m_buckets, spare);
            shard.m_bucket_count = m_bucket_limit;
        }
    }
    host_free(spare);
}

void NodeCache::set_limit(u64 bytes)
{
    m_limit_bytes.store(bytes);
    while (m_counters.bytes.load_relaxed() > bytes)
        if (!evict(k_shards * k_looks))
            break;
}

void NodeCache::insert(Node& node)
{
    Ref<Node> held(node);
    insert_unless_present(held);
}

void NodeCache::unlink_locked(Shard& shard, Node& node)
{
    Node** link = &shard.m_buckets[(hash_of(node.m_pointer.dva[0]) / k_shards) % shard.m_bucket_count];
    while (*link != &node)
        link = &(*link)->m_hash_next;
    *link = node.m_hash_next;
    node.m_cached = false;
    m_counters.nodes.add_relaxed(~0ull);
    m_counters.bytes.add_relaxed(-u64(node.m_page.capacity()));
}

void NodeCache::forget(Node& node)
{
    Shard& shard = shard_of(hash_of(node.m_pointer.dva[0]));
    {
        SpinGuard guard(shard.m_lock);
        if (!node.m_cached)
            return;
        unlink_locked(shard, node);
        shard.m_lru.remove(node);
    }
    node.unreference();
}

// Takes up to `wanted` victims among the oldest `looks` nodes, linked by m_hash_next. Gives how many. `all`: no second chance.
u32 NodeCache::collect_victims(Shard& shard, u32 looks, u64 wanted, bool all, Node*& victims)
{
    u32 count = 0;
    SpinGuard guard(shard.m_lock);
    while (looks-- > 0 && count < wanted) {
        Node* node = shard.m_lru.pop_front();
        if (!node)
            break;
        const bool touched = node->m_touched.exchange(0) != 0;
        if (node->reference_count() > 1 || (touched && !all)) {
            shard.m_lru.push_back(*node);
            continue;
        }
        unlink_locked(shard, *node);
        node->m_hash_next = victims;
        victims = node;
        count++;
    }
    return count;
}

// Goes over the shard at most twice: what was spared the first time may go the second. Victims are freed outside the lock.
u64 NodeCache::evict_from(Shard& shard, u64 wanted)
{
    size_t left;
    {
        SpinGuard guard(shard.m_lock);
        left = 2 * shard.m_lru.size();
    }
    u64 evicted = 0;
    while (left > 0 && evicted < wanted) {
        const u32 looks = static_cast<u32>(min<size_t>(left, k_looks));
        left -= looks;
        Node* victims = nullptr;
        evicted += collect_victims(shard, looks, wanted - evicted, wanted == ~0ull, victims);
        while (Node* victim = victims) {
            victims = victim->m_hash_next;
            victim->unreference();
        }
    }
    return evicted;
}

u64 NodeCache::evict(u64 wanted)
{
    u64 evicted = 0;
    for (u32 tries = 0; tries < k_shards && evicted < wanted; tries++)
        evicted += evict_from(m_shards[m_next_shard.add(1) % k_shards], wanted - evicted);
    return evicted;
}

}
