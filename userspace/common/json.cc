// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/json.h"

#include <fmt/format.h>

namespace lcpfs::tool {

static std::string quoted(const std::string& text)
{
    std::string out = "\"";
    for (unsigned char c : text) {
        if (c == '"' || c == '\\')
            out += fmt::format("\\{}", static_cast<char>(c));
        else if (c < 0x20)
            out += fmt::format("\\u{:04x}", c);
        else
            out += static_cast<char>(c);
    }
    return out + '"';
}

void Json::start(const char* key)
{
    if (!m_first)
        m_text += ',';
    m_first = false;
    if (m_depth) {
        m_text += '\n';
        m_text.append(static_cast<size_t>(m_depth) * 2, ' ');
    }
    if (key)
        m_text += quoted(key) + ": ";
}

void Json::open(const char* key, char bracket)
{
    start(key);
    m_text += bracket;
    m_first = true;
    m_depth++;
}

void Json::close(char bracket)
{
    m_depth--;
    if (!m_first) {
        m_text += '\n';
        m_text.append(static_cast<size_t>(m_depth) * 2, ' ');
    }
    m_text += bracket;
    m_first = false;
}

void Json::put(const char* key, const std::string& text)
{
    start(key);
    m_text += quoted(text);
}

void Json::put_thousandths(const char* key, uint64_t thousandths)
{
    start(key);
    m_text += fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
}

void Json::put_thousandths(const char* key, int64_t thousandths)
{
    const uint64_t size = thousandths < 0 ? 0 - static_cast<uint64_t>(thousandths) : static_cast<uint64_t>(thousandths);
    start(key);
    m_text += fmt::format("{}{}.{:03}", thousandths < 0 ? "-" : "", size / 1000, size % 1000);
}

void Json::put(const char* key, uint64_t number)
{
    start(key);
    m_text += fmt::format("{}", number);
}

void Json::put(const char* key, bool value)
{
    start(key);
    m_text += value ? "true" : "false";
}

void Json::print() const { fmt::print("{}\n", m_text); }

}
