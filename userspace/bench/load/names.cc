// SPDX-License-Identifier: GPL-2.0-only
// Many names: made, looked at, listed, renamed, removed. What changes names ends with syncfs, which is part of the figure.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/bench/load/load.h"

namespace load {

namespace {

class Tree {
public:
    Tree(std::string top, uint64_t files, uint64_t directories) : m_top(std::move(top)), m_files(files), m_directories(directories)
    {
        for (uint64_t number = 0; number < directories; number++)
            must(mkdir(directory(number).c_str(), 0755) == 0, "mkdir");
        sync_all(m_top);
    }
    std::string directory(uint64_t number) const { return m_top + "/d" + std::to_string(number); }
    std::string file(uint64_t number, const char* prefix) const
    {
        return directory(number % m_directories) + "/" + prefix + std::to_string(number);
    }
    uint64_t files() const { return m_files; }

    // Each file, then syncfs.
    template<typename Each>
    void change(const char* what, Each&& each) const
    {
        Meter meter;
        for (uint64_t number = 0; number < m_files; number++)
            each(number);
        sync_all(m_top);
        meter.stop();
        report(meter, what);
    }
    void create() const
    {
        change("create", [this](uint64_t number) {
            const int fd = open_file(file(number, "file-"), O_WRONLY | O_CREAT | O_EXCL);
            must(close(fd) == 0, "close");
        });
    }
    // In no order, from the kernel's caches.
    void look() const
    {
        Random random(7);
        Meter meter;
        for (uint64_t count = 0; count < m_files; count++) {
            struct stat found;
            const std::string path = file(random.below(m_files), "file-");
            must(lstat(path.c_str(), &found) == 0, path);
        }
        meter.stop();
        report(meter, "stat");
    }
    // Every directory and the attributes of everything in it, all of it from the disk.
    void list() const
    {
        drop_caches();
        uint64_t seen = 0;
        Meter meter;
        for (uint64_t number = 0; number < m_directories; number++) {
            DIR* open = opendir(directory(number).c_str());
            must(open, "opendir");
            while (const dirent* entry = readdir(open)) {
                struct stat found;
                must(fstatat(dirfd(open), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0, entry->d_name);
                seen += entry->d_name[0] != '.';
            }
            closedir(open);
        }
        meter.stop();
        if (seen != m_files)
            fail("list: " + std::to_string(seen) + " files of " + std::to_string(m_files));
        report(meter, "list");
    }
    void rename_all() const
    {
        change("rename", [this](uint64_t number) {
            must(rename(file(number, "file-").c_str(), file(number, "other-").c_str()) == 0, "rename");
        });
    }
    void remove_all() const
    {
        change("unlink", [this](uint64_t number) { must(unlink(file(number, "other-").c_str()) == 0, "unlink"); });
    }

private:
    void report(const Meter& meter, const char* what) const
    {
        meter.report(std::string(what) + "-" + std::to_string(m_directories), "files/s", m_files);
    }
    std::string m_top;
    uint64_t m_files, m_directories;
};

}

// names DIRECTORY FILES DIRECTORIES
void names(const Words& words)
{
    const Tree tree(words.at(0), std::stoul(words.at(1)), std::stoul(words.at(2)));
    tree.create();
    tree.look();
    tree.list();
    tree.rename_all();
    tree.remove_all();
}

}
