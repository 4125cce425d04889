// SPDX-License-Identifier: GPL-2.0-only
// GUIDs as text: 8-4-4-4-12 hexadecimal digits.
#pragma once

#include <stdint.h>

#include <string>

namespace lcpfs::tool {

std::string guid_text(const uint8_t guid[16]);
// With or without the dashes. False: not a GUID.
bool parse_guid(const char* text, uint8_t guid[16]);

}
