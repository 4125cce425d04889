// SPDX-License-Identifier: GPL-2.0-only
// One user of the filesystem: generated operations in a subtree of its own (and, when there is one, on its
// own names in a shared directory), each applied to the core and then to a model.
//
// The history keeps the model's state after every operation, the position of the I/O log at which each
// operation was issued, and which operations were acknowledged as durable at which position. From these
// `allowed` says what a crash at a position may leave: the state after any operation from the last one
// acknowledged to the last one issued.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "userspace/sim/disk.h"
#include "userspace/sim/model.h"
#include "userspace/sim/random.h"
#include "userspace/sim/walk.h"

namespace lcpfs::sim {

struct Acknowledgement {
    u64 position;
    u64 state;
};

struct History {
    std::vector<Tree> states;              // [0]: before the first operation
    std::vector<u64> issued;               // position at which operation i (leading to states[i]) was issued
    std::vector<std::string> descriptions; // of operation i
    std::vector<u64> began, ended;         // of operation i: numbers that rise over all workers of a run
    std::vector<Acknowledgement> acknowledged;

    struct Range {
        u64 first, last;
    };
    Range allowed(u64 position) const;
};

enum class Mix { general, names, data, fill };

struct WorkerOptions {
    u32 number { 0 };
    std::string dataset {}; // empty: the one every pool has
    u64 root { 0 };
    u64 shared_directory { 0 };
    Mix mix { Mix::general };
    bool expect_no_space { false }; // -ENOSPC is an answer, not a failure
    bool expect_errors { false };   // so is any error: the worker stops at the first
    bool expect_no_memory { false }; // so is -ENOMEM
    u64 largest_file_blocks { 300 };
    u64 objects { 120 };            // beyond this, removals become likely
    u64 logged_percent { 30 };      // of small writes: by way of the intent log
    u64 packing_percent { 50 };     // of writes: what compresses
    u64 sync_percent { 2 };         // of operations: sync of an object, beyond what the mix has
};

class Run;

// worker_allocate.cc. Whether a write there cannot fail for lack of space.
bool has_only_unwritten(core_object* object, u64 block, u64 count);

class Worker {
public:
    Worker(Run& run, core_dataset* dataset, const WorkerOptions& options, Tree start, u64 seed);
    ~Worker();
    void step();
    void operate(u64 count);
    // Puts every object still open; deletes those without a name, unless all is about to be lost anyway.
    void close_all(bool delete_unnamed = true);

    History& history() { return m_history; }
    const Tree& tree() const { return m_history.states.back(); }
    u64 completed() const { return m_history.states.size() - 1; }
    void acknowledge(u64 state, u64 position);
    const WorkerOptions& options() const { return m_options; }
    WalkOptions walk_options() const;
    bool stopped() const { return m_stopped; }
    u64 refused() const { return m_refused; }
    // Parts of the attributes that the last creation was to begin with: what it promises goes by them.
    u32 new_parts() const { return m_new_parts; }

    // The single operations, for runs that script them. All give the error.
    int create(u64 directory, const std::string& name, u32 mode, const std::string& target = "", u64* id = nullptr);
    int create_unnamed(u64 directory, u32 mode, u64& id);
    int write(u64 id, u64 block, u64 count, u64 end_bytes);
    int truncate(u64 id, u64 size_bytes);
    int punch(u64 id, u64 block, u64 count);
    // worker_allocate.cc
    int allocate(u64 id, u64 block, u64 count);
    int clone(u64 source, u64 from, u64 target, u64 to, u64 count);
    // worker_shift.cc. Blocks taken out, or a hole put in.
    int shift(u64 id, u64 block, u64 count, bool collapses);
    int unlink(u64 directory, const std::string& name);
    int link(u64 directory, const std::string& name, u64 id);
    int rename(u64 from, const std::string& from_name, u64 to, const std::string& to_name, unsigned flags);
    int set_attr(u64 id);
    // worker_xattr.cc. A value, or none: removed.
    int set_xattr(u64 id, const std::string& name, const std::string* value);
    void sync_pool();
    void sync_object(u64 id);
    void check_object(u64 id);
    // Fails unless what the core holds now is the model's state.
    void check_live();

private:
    core_object* get(u64 id);
    void put(core_object* object);
    core_time now() const;
    Tree& edit() { return m_next; }
    void begin(const std::string& what);
    // Ends the operation: `error` 0 keeps what was edited.
    int end(int error);
    void absorb(u64 id, core_object* object);
    void predict(Tree& tree, u64 id, core_object* object, u32 links, u64 size_bytes);
    void dispose(u64 id, core_object* object);
    u64 random_object(bool (*wanted)(const ObjectState&));
    u64 random_directory();
    std::string fresh_name(u64 directory);
    std::string new_name(u64 directory);
    bool random_entry(u64& directory, std::string& name, Entry& entry);
    bool is_within(u64 directory, u64 ancestor) const;
    void random_create();
    void random_write();
    void random_rename();
    void random_truncate();
    void random_punch();
    void random_xattr();
    void random_shift();
    void random_allocate();
    std::string random_xattr_name();
    std::string random_xattr_value(const std::string& name);
    void random_clone();

    Run& m_run;
    core_dataset* m_dataset;
    WorkerOptions m_options;
    Random m_random;
    History m_history;
    Tree m_next;
    bool m_operating { false };
    std::map<u64, core_object*> m_open;
    u64 m_names { 0 };
    bool m_stopped { false };
    u32 m_new_parts { 0 };
    u64 m_refused { 0 };
};

}
