// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/mounts.h"

#include <fstream>
#include <sstream>

namespace lcpfs::tool {

namespace {

// As /proc writes a path: blanks and the like as \ooo.
std::string unescape(const std::string& text)
{
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            plain += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

std::string dataset_of(const std::string& options)
{
    std::istringstream words(options);
    for (std::string word; std::getline(words, word, ',');)
        if (word.rfind("dataset=", 0) == 0)
            return word.substr(8);
    return "default";
}

}

std::vector<Mount> lcpfs_mounts()
{
    std::vector<Mount> found;
    std::ifstream lines("/proc/self/mounts");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string source, point, type, options;
        fields >> source >> point >> type >> options;
        if (type == "lcpfs")
            found.push_back({ unescape(point), unescape(source), dataset_of(options) });
    }
    return found;
}

}
