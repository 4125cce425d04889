// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_checksum.c: checksums by the kernel's own libraries, which know the processor's instructions for
 * them. None sleeps. libcrc32c is a module: modprobe loads it by its symbol.
 */
#include <linux/crc32c.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/xxhash.h>
#include <crypto/sha2.h>

#include "core/host/host.h"

uint32_t host_crc32c(const void *data, size_t bytes)
{
	u32 crc = ~0u;

	/* The library counts in 32 bits. */
	while (bytes) {
		unsigned int part = min_t(size_t, bytes, SZ_1G);

		crc = crc32c(crc, data, part);
		data += part;
		bytes -= part;
	}
	return ~crc;
}

uint64_t host_xxh64(const void *data, size_t bytes, uint64_t seed)
{
	return xxh64(data, bytes, seed);
}

void host_sha256(const void *data, size_t bytes, uint8_t digest[32])
{
	struct sha256_state state;

	sha256_init(&state);
	while (bytes) {
		unsigned int part = min_t(size_t, bytes, SZ_1G);

		sha256_update(&state, data, part);
		data += part;
		bytes -= part;
	}
	sha256_final(&state, digest);
}
