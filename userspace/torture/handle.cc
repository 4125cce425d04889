// SPDX-License-Identifier: GPL-2.0-only
// File handles as an NFS server uses them: asked for once, opened after a remount.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "userspace/torture/torture.h"

namespace torture {

namespace {

struct Saved {
    file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
};

}

int save_handle(int count, char** words)
{
    if (count != 2)
        fail("handle FILE OUT");
    Saved saved {};
    saved.head.handle_bytes = sizeof(saved.bytes);
    int mount;
    must(!name_to_handle_at(AT_FDCWD, words[0], &saved.head, &mount, 0), "name_to_handle_at");
    const int out = open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(out >= 0 && write(out, &saved, sizeof(saved)) == static_cast<ssize_t>(sizeof(saved)), words[1]);
    close(out);
    return 0;
}

// Prints what the file holds; when it cannot be opened, the error.
int open_handle(int count, char** words)
{
    if (count != 2)
        fail("by-handle DIRECTORY IN");
    Saved saved {};
    const int in = open(words[1], O_RDONLY);
    must(in >= 0 && read(in, &saved, sizeof(saved)) == static_cast<ssize_t>(sizeof(saved)), words[1]);
    close(in);
    const int root = open(words[0], O_RDONLY | O_DIRECTORY);
    must(root >= 0, words[0]);
    const int file = open_by_handle_at(root, &saved.head, O_RDONLY);
    if (file < 0) {
        puts(strerror(errno));
        return 1;
    }
    char text[4096];
    const ssize_t bytes = read(file, text, sizeof(text));
    if (bytes > 0)
        fwrite(text, 1, static_cast<size_t>(bytes), stdout);
    close(file);
    return bytes < 0;
}

}
