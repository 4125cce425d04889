// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/guid.h"

#include <fmt/format.h>

namespace lcpfs::tool {

std::string guid_text(const uint8_t guid[16])
{
    std::string text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += fmt::format("{:02x}", guid[i]);
    }
    return text;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_guid(const char* text, uint8_t guid[16])
{
    int digits = 0;
    for (; *text; text++) {
        if (*text == '-')
            continue;
        const int digit = digit_of(*text);
        if (digit < 0 || digits == 32)
            return false;
        guid[digits / 2] = static_cast<uint8_t>(digits % 2 ? guid[digits / 2] << 4 | digit : digit);
        digits++;
    }
    return digits == 32;
}

}
