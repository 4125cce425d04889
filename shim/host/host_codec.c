// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_codec.c: compression by the kernel's own libraries.
 *
 * Some kernels have these as modules. They are referred to weakly: modprobe loads what modules.dep says, as for any
 * module, and insmod of lcpfs alone works, too. Then what the kernel does not have is not there for this load, and
 * the core is told so. Decompressing is built in wherever the boot image may be compressed that way. A weak function
 * cannot be called directly, since nothing is at address 0 that a call could reach: the table below has the addresses, which the loader
 * fills in whole.
 */
#include <linux/lz4.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/zstd.h>

#include "core/host/host.h"

extern typeof(LZ4_compress_default) LZ4_compress_default __weak;
extern typeof(LZ4_decompress_safe) LZ4_decompress_safe __weak;
extern typeof(zstd_get_params) zstd_get_params __weak;
extern typeof(zstd_cctx_workspace_bound) zstd_cctx_workspace_bound __weak;
extern typeof(zstd_init_cctx) zstd_init_cctx __weak;
extern typeof(zstd_compress_cctx) zstd_compress_cctx __weak;
extern typeof(zstd_dctx_workspace_bound) zstd_dctx_workspace_bound __weak;
extern typeof(zstd_init_dctx) zstd_init_dctx __weak;
extern typeof(zstd_decompress_dctx) zstd_decompress_dctx __weak;

static struct {
	typeof(&LZ4_compress_default) lz4_compress;
	typeof(&LZ4_decompress_safe) lz4_decompress;
	typeof(&zstd_get_params) params;
	typeof(&zstd_cctx_workspace_bound) cctx_bytes;
	typeof(&zstd_init_cctx) cctx_init;
	typeof(&zstd_compress_cctx) zstd_compress;
	typeof(&zstd_dctx_workspace_bound) dctx_bytes;
	typeof(&zstd_init_dctx) dctx_init;
	typeof(&zstd_decompress_dctx) zstd_decompress;
} host_codecs __ro_after_init = {
	.lz4_compress = LZ4_compress_default,
	.lz4_decompress = LZ4_decompress_safe,
	.params = zstd_get_params,
	.cctx_bytes = zstd_cctx_workspace_bound,
	.cctx_init = zstd_init_cctx,
	.zstd_compress = zstd_compress_cctx,
	.dctx_bytes = zstd_dctx_workspace_bound,
	.dctx_init = zstd_init_dctx,
	.zstd_decompress = zstd_decompress_dctx,
};
/* So that the compiler does not make direct calls of them again. */
#define HOST_CODEC(name) READ_ONCE(host_codecs.name)

struct host_compressor {
	enum host_codec codec;
	unsigned int max_level;
	zstd_cctx *zstd; /* within `memory` */
	void *memory;
};

struct host_decompressor {
	zstd_dctx *zstd; /* NULL: this kernel has none */
	void *memory;
};

static bool host_codec_has_zstd(void)
{
	return HOST_CODEC(params) && HOST_CODEC(cctx_bytes) && HOST_CODEC(cctx_init) && HOST_CODEC(zstd_compress);
}

bool host_codec_compresses(enum host_codec codec)
{
	if (codec == HOST_CODEC_LZ4)
		return HOST_CODEC(lz4_compress);
	return codec == HOST_CODEC_ZSTD && host_codec_has_zstd();
}

/* Levels need memory in no order that is promised. */
static size_t host_codec_zstd_bytes(unsigned int max_level)
{
	size_t most = 0;
	unsigned int level;

	for (level = 1; level <= max_level; level++) {
		zstd_parameters params = HOST_CODEC(params)(level, HOST_CODEC_MAX_BYTES);

		most = max(most, HOST_CODEC(cctx_bytes)(&params.cParams));
	}
	return most;
}

struct host_compressor *host_compressor_create(enum host_codec codec, unsigned int max_level)
{
	struct host_compressor *compressor;
	size_t bytes = LZ4_MEM_COMPRESS;

	if (!host_codec_compresses(codec))
		return NULL;
	if (codec == HOST_CODEC_ZSTD) {
		if (max_level < 1 || max_level > HOST_ZSTD_MAX_LEVEL)
			return NULL;
		bytes = host_codec_zstd_bytes(max_level);
	}
	compressor = kzalloc(sizeof(*compressor), GFP_KERNEL);
	if (!compressor)
		return NULL;
	compressor->codec = codec;
	compressor->max_level = max_level;
	compressor->memory = kvmalloc(bytes, GFP_KERNEL);
	if (compressor->memory && codec == HOST_CODEC_ZSTD)
		compressor->zstd = HOST_CODEC(cctx_init)(compressor->memory, bytes);
	if (compressor->memory && (codec == HOST_CODEC_LZ4 || compressor->zstd))
		return compressor;
	host_compressor_destroy(compressor);
	return NULL;
}

void host_compressor_destroy(struct host_compressor *compressor)
{
	if (!compressor)
		return;
	kvfree(compressor->memory);
	kfree(compressor);
}

size_t host_compress(struct host_compressor *compressor, unsigned int level, const void *data, size_t bytes, void *out,
		     size_t room)
{
	zstd_parameters params;
	size_t made;

	if (bytes > HOST_CODEC_MAX_BYTES)
		return 0;
	if (compressor->codec == HOST_CODEC_LZ4) {
		int lz4 = HOST_CODEC(lz4_compress)(data, out, bytes, min_t(size_t, room, INT_MAX), compressor->memory);

		return lz4 > 0 ? lz4 : 0;
	}
	if (level < 1 || level > compressor->max_level)
		return 0;
	params = HOST_CODEC(params)(level, bytes);
	made = HOST_CODEC(zstd_compress)(compressor->zstd, out, room, data, bytes, &params);
	/* Errors are numbers beyond any size. */
	return made <= room ? made : 0;
}

struct host_decompressor *host_decompressor_create(void)
{
	struct host_decompressor *decompressor = kzalloc(sizeof(*decompressor), GFP_KERNEL);
	size_t bytes;

	if (!decompressor || !HOST_CODEC(dctx_bytes) || !HOST_CODEC(dctx_init) || !HOST_CODEC(zstd_decompress))
		return decompressor;
	bytes = HOST_CODEC(dctx_bytes)();
	decompressor->memory = kvmalloc(bytes, GFP_KERNEL);
	if (decompressor->memory)
		decompressor->zstd = HOST_CODEC(dctx_init)(decompressor->memory, bytes);
	if (decompressor->zstd)
		return decompressor;
	host_decompressor_destroy(decompressor);
	return NULL;
}

void host_decompressor_destroy(struct host_decompressor *decompressor)
{
	if (!decompressor)
		return;
	kvfree(decompressor->memory);
	kfree(decompressor);
}

bool host_decompress(struct host_decompressor *decompressor, enum host_codec codec, const void *data, size_t bytes,
		     void *out, size_t out_bytes)
{
	if (bytes > HOST_CODEC_MAX_BYTES || out_bytes > HOST_CODEC_MAX_BYTES)
		return false;
	if (codec == HOST_CODEC_LZ4)
		return HOST_CODEC(lz4_decompress) && HOST_CODEC(lz4_decompress)(data, out, bytes, out_bytes) == out_bytes;
	return codec == HOST_CODEC_ZSTD && decompressor->zstd &&
	       HOST_CODEC(zstd_decompress)(decompressor->zstd, out, out_bytes, data, bytes) == out_bytes;
}
