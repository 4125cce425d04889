// SPDX-License-Identifier: GPL-2.0-only
// The operations that the intent log knows: one row each, from which come the codes, what replay takes for known, and what people
// are told. A new one has its row here, its payload in zil_format.h, and its replay.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

// Of what a record's payload tells, besides the object in its header.
enum class LogSubject : u8 {
    nothing,
    made,      // DiskLogCreate
    named,     // DiskLogName
    renamed,   // DiskLogRename
    object,
    place,     // an object and an offset in it
    dataset,
};

//  X(enumerator, code, name, what is lost with it, subject)
#define LCPFS_LOG_OPCODES(X)                                                                                          \
    X(create, 1, "create", "making object ", made)                  /* files, devices, pipes, sockets */              \
    X(remove, 2, "remove", "taking from object ", named)                                                              \
    X(write, 3, "write", "writing to object ", place)                                                                 \
    X(truncate, 4, "truncate", "cutting object ", object)                                                             \
    X(set_attributes, 5, "set attributes", "setting attributes of object ", object)                                   \
    X(acl_v0, 6, "remove ACL", "removing an ACL of object ", object) /* no list of a kind any more */                 \
    X(acl_v1, 7, "set ACL", "setting an ACL of object ", object)     /* it has this one */                            \
    X(make_directory, 8, "make directory", "making object ", made)                                                    \
    X(remove_directory, 9, "remove directory", "taking from object ", named)                                          \
    X(link, 10, "link", "giving object ", named)                                                                      \
    X(symlink, 11, "symlink", "making object ", made)                                                                 \
    X(rename, 12, "rename", "renaming object ", renamed)                                                              \
    X(write_truncate, 13, "write and truncate", "cutting object ", object)                                            \
    X(clone_range, 14, "clone range", "cloning blocks to object ", place)                                             \
    X(create_unnamed, 15, "create unnamed", "making object ", made) /* O_TMPFILE */                                   \
    X(create_dataset, 16, "create dataset", "making dataset ", dataset)                                               \
    X(change_dataset, 17, "change dataset", "changing or destroying dataset ", dataset) /* its name and properties */ \
    X(punch, 18, "punch", "making a hole in object ", place)                                                          \
    X(set_xattr, 19, "set xattr", "changing an extended attribute of object ", object)                                \
    X(remove_xattr, 20, "remove xattr", "changing an extended attribute of object ", object)                          \
    X(move, 21, "move blocks", "moving blocks of object ", place)   /* to another place in it */                      \
    X(allocate, 22, "allocate", "allocating blocks of object ", place) /* an unwritten extent, its DiskExtent */       \
    X(commit_marker, 99, "commit marker", "nothing of object ", nothing)

enum class LogOpcode : u32 {
#define LCPFS_LOG_OPCODE_NUMBER(name, code, text, loss, subject) name = code,
    LCPFS_LOG_OPCODES(LCPFS_LOG_OPCODE_NUMBER)
#undef LCPFS_LOG_OPCODE_NUMBER
};

struct LogOpcodeRow {
    LogOpcode opcode;
    const char* name;
    const char* loss; // "making object ": what follows is its number
    LogSubject subject;
};

// Null: this version does not know it.
inline const LogOpcodeRow* find_log_opcode(LogOpcode opcode)
{
    static constexpr LogOpcodeRow k_rows[] = {
#define LCPFS_LOG_OPCODE_ROW(name, code, text, loss, subject) { LogOpcode::name, text, loss, LogSubject::subject },
        LCPFS_LOG_OPCODES(LCPFS_LOG_OPCODE_ROW)
#undef LCPFS_LOG_OPCODE_ROW
    };
    for (const LogOpcodeRow& row : k_rows)
        if (row.opcode == opcode)
            return &row;
    return nullptr;
}

}
