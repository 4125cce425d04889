// SPDX-License-Identifier: GPL-2.0-only
// NodeCache: the one cache of clean tree nodes, and the maker of all nodes.
//
// Hashed by first address and birth. Sharded; a hit takes one spinlock and one reference. Bounded: inserting
// above the limit evicts by second chance; the kernel's shrinker evicts through `evict`. Only nodes that nobody else
// references are evicted. A node whose blocks were freed is taken out by `forget`.
//
// Memory. Node buffers come in three sizes. When the host has none, clean nodes are evicted; then `Must::may_fail` gives
// up, `Must::kit` takes from the NodeKit whose turn the caller has, and `Must::succeed`, for the sync thread, waits for
// the pools' reserve: it is held up only by readers, who let go of their nodes without waiting for it. A page
// smaller than a node may come larger than asked for.
//
// Reading verifies checksum, identity and form, tries every copy, and rewrites bad copies from a good one. What
// cannot be read is reported with the object and address.
#pragma once

#include "core/cache/node.h"
#include "core/cache/node_kit.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

struct NodeCacheCounters {
    Atomic<u64> nodes { 0 }, bytes { 0 }, reads { 0 }, checksum_errors { 0 }, repairs { 0 };
};

class NodeCache {
public:
    static Result<Box<NodeCache>> create(VdevSet& vdevs, u32 node_bytes, u64 limit_bytes);
    // Before the first change: what the sync thread and writebacks take from when there is no other memory. no_memory.
    Status reserve();
    ~NodeCache(); // all nodes must be unreferenced but for the cache's own references

    u32 node_bytes() const { return m_node_bytes; }
    u32 node_blocks() const { return m_node_bytes / k_block_size; }
    NodeCacheCounters& counters() { return m_counters; }
    void set_repair(bool allowed) { m_repair.store(allowed); }

    // A new dirty node with an empty page of at least `wanted_bytes` of capacity.
    Result<Ref<Node>> make(const TreeOwner& owner, u8 level, TxgId birth, u32 wanted_bytes, Must must);
    // A dirty copy of `node` for group `birth`, children references shared.
    Result<Ref<Node>> copy(const Node& node, TxgId birth, Must must);
    // Enlarges the page to hold `wanted_bytes` more of item cost. The page may move.
    Status grow(Node& node, u32 wanted_bytes, Must must);

    // The node behind a pointer: cached or read. `level` is what the parent says it must be.
    Result<Ref<Node>> get(const NodePointer& pointer, const TreeOwner& owner, Must must = Must::may_fail);
    // The same without reading it: null when it is not here.
    Result<Ref<Node>> find(const NodePointer& pointer, const TreeOwner& owner)
    {
        return find(pointer.dva[0], pointer.birth, pointer.level, owner);
    }
    // By what it is hashed by, which spares who finds it the rest of the pointer.
    Result<Ref<Node>> find(const Dva& first, TxgId birth, u8 level, const TreeOwner& owner);
    // Has several read at once that are about to be asked for. What cannot be read so is left to `get`, which says why.
    struct Wanted {
        NodePointer pointer;
        TreeOwner owner;
    };
    void read_ahead(Span<const Wanted> wanted);
    // The same for a few, of whom the one that asks has something to do until `finish`.
    class Ahead {
    public:
        static constexpr size_t k_most = 8;
        explicit Ahead(NodeCache& cache) : m_cache(cache) {}
        ~Ahead() { finish(); }
        Ahead(const Ahead&) = delete;
        void start(Span<const Wanted> wanted); // the first k_most of them
        void finish();

    private:
        NodeCache& m_cache;
        IoBatch m_batch;
        Ref<Node> m_nodes[k_most];
        TreeOwner m_owners[k_most] {};
        core_segment m_segments[k_most];
    };
    // On the way from the root of a tree to its first or last leaf: what is not here yet, if anything is.
    Status add_edge(const NodePointer& root, const TreeOwner& owner, bool last, Vector<Wanted>& wanted);
    // A node just synced becomes an ordinary cached one.
    void insert(Node& node);
    void forget(Node& node);
    // What the cache may hold before each new node costs it old ones; what it holds above that goes at once, as far as it is not in use.
    u64 limit_bytes() const { return m_limit_bytes.load_relaxed(); }
    void set_limit(u64 bytes);
    // Frees up to `wanted` unreferenced nodes, never waits for a lock it may not have. Gives how many.
    u64 evict(u64 wanted);

    // What Must::kit takes from, for a scope. Sleepable, waits for memory: no core lock, no hold of a group.
    class KitTurn {
    public:
        explicit KitTurn(NodeCache& cache);
        ~KitTurn();
        KitTurn(const KitTurn&) = delete;

    private:
        NodeCache& m_cache;
    };

    VdevSet& vdevs() { return m_vdevs; }
    // For the writer of nodes: a buffer of node_bytes (4096-aligned) and a little state of up to k_write_state_bytes.
    static constexpr u32 k_write_state_bytes = 64;
    u8* write_buffer() { return static_cast<u8*>(host_pool_alloc_reserved(m_write_buffers)); }
    void* write_state() { return host_pool_alloc_reserved(m_write_states); }
    void release_write(u8* buffer, void* state) // any context
    {
        host_pool_free(m_write_buffers, buffer);
        host_pool_free(m_write_states, state);
    }

private:
    friend class Node;
    static constexpr u32 k_shards = 32;
    static constexpr u32 k_looks = 32; // nodes looked at in one hold of a shard's lock, which keeps interrupts off
    struct Shard {
        SpinLock m_lock { LCPFS_RANK_node_cache };
        Node** m_buckets { nullptr }; // few at first, m_bucket_limit once there are nodes for them
        u32 m_bucket_count { 0 };
        List<Node, &Node::m_cache_link> m_lru; // oldest first
    };

    NodeCache(VdevSet& vdevs, u32 node_bytes, u64 limit_bytes)
        : m_vdevs(vdevs), m_node_bytes(node_bytes), m_limit_bytes(limit_bytes) {}
    Shard& shard_of(u64 hash) { return m_shards[hash % k_shards]; }
    static u64 hash_of(const Dva& first);
    Node* find_locked(Shard& shard, u64 hash, const Dva& first, TxgId birth) REQUIRES(shard.m_lock);
    Result<Ref<Node>> make_node(u32 capacity, bool interior, TxgId birth, Node::State state, Must must);
    Result<Ref<Node>> read(const NodePointer& pointer, const TreeOwner& owner, Must must);
    Status read_copy(Node& node, const NodePointer& pointer, u32 copy, const TreeOwner& owner);
    void trace_bad_copy(const Dva& place, const TreeOwner& owner) const;
    void repair(Node& node, const NodePointer& pointer, u32 bad_copies);
    void insert_unless_present(Ref<Node>& node);
    void enlarge(Shard& shard);
    void unlink_locked(Shard& shard, Node& node) REQUIRES(shard.m_lock);
    u32 collect_victims(Shard& shard, u32 looks, u64 wanted, bool all, Node*& victims);
    u64 evict_from(Shard& shard, u64 wanted);
    // From `pool`, or from the kit's own.
    struct Taken {
        void* part;
        bool from_kit;
    };
    Taken take(host_pool* pool, host_pool* kit_pool, Must must);
    Taken allocate_buffer(u32& capacity, Must must);
    void free_buffer(Node& node);
    void destroy(Node& node);
    u32 size_class(u32 bytes) const;
    host_pool* pool_of(u32 capacity) const;

    VdevSet& m_vdevs;
    u32 m_node_bytes;
    Atomic<u64> m_limit_bytes;
    u32 m_bucket_limit { 0 }; // of a shard
    Atomic<u8> m_repair { 0 };
    host_pool* m_nodes { nullptr };
    host_pool* m_small { nullptr };
    host_pool* m_medium { nullptr };
    host_pool* m_full { nullptr };
    host_pool* m_children { nullptr };
    host_pool* m_write_buffers { nullptr };
    host_pool* m_write_states { nullptr };
    host_shrinker* m_shrinker { nullptr };
    Box<NodeKit> m_kit;
    Event m_kit_event;
    Atomic<u32> m_next_shard { 0 };
    Shard m_shards[k_shards];
    NodeCacheCounters m_counters;
};

}
