/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: the one place that knows kernel versions. Everything else is written against the newer of
 * the supported kernels' interfaces (6.12); what an older one (6.1) spells differently gets the newer
 * spelling here, and what cannot be spelled the same gets an lcpfs_* name. No other file tests
 * LINUX_VERSION_CODE.
 */
#ifndef LCPFS_COMPAT_H
#define LCPFS_COMPAT_H

#include <linux/version.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/blkdev.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/highmem.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "lcpfs needs Linux 6.1 or newer"
#endif

/* Idmapped mounts: the mapping had been a user namespace before it got a type of its own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define mnt_idmap user_namespace
#define nop_mnt_idmap init_user_ns
#define lcpfs_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define lcpfs_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#else
#define lcpfs_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, mask, inode, stat)
#endif

/* Accessors of the times (those of ctime came first and were carried back to 6.1). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct timespec64 inode_get_atime(const struct inode *inode)
{
	return inode->i_atime;
}

static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}

static inline void inode_set_atime_to_ts(struct inode *inode, struct timespec64 time)
{
	inode->i_atime = time;
}

static inline void inode_set_mtime_to_ts(struct inode *inode, struct timespec64 time)
{
	inode->i_mtime = time;
}
#endif

/* Lists of POSIX ACLs: what the operations are called, and whether they are given an inode or a name of it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
typedef struct inode lcpfs_acl_target;
#define lcpfs_acl_inode(target) (target)
#define LCPFS_ACL_OPERATIONS .get_acl = lcpfs_acl_get, .set_acl = lcpfs_acl_set
#define get_inode_acl get_acl
#define LCPFS_ACL_XATTR_HANDLERS &posix_acl_access_xattr_handler, &posix_acl_default_xattr_handler,
#else
typedef struct dentry lcpfs_acl_target;
#define lcpfs_acl_inode(target) d_inode(target)
#define LCPFS_ACL_OPERATIONS .get_inode_acl = lcpfs_acl_get, .set_acl = lcpfs_acl_set
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define LCPFS_ACL_XATTR_HANDLERS &posix_acl_access_xattr_handler, &posix_acl_default_xattr_handler,
#else
#define LCPFS_ACL_XATTR_HANDLERS
#endif
#endif

/* The page cache: a lookup that finds nothing gave NULL before it gave an error. */
static inline struct folio *lcpfs_find_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = __filemap_get_folio(mapping, index, 0, 0);

	return IS_ERR_OR_NULL(folio) ? NULL : folio;
}

static inline struct folio *lcpfs_lock_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = __filemap_get_folio(mapping, index, FGP_LOCK, 0);

	return IS_ERR_OR_NULL(folio) ? NULL : folio;
}

/* Locked, referenced, stable, created where missing, of up to `bytes` where the kernel has large folios. */
static inline struct folio *lcpfs_grab_folio(struct address_space *mapping, pgoff_t index, size_t bytes)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	struct folio *folio = __filemap_get_folio(mapping, index,
						  FGP_LOCK | FGP_WRITE | FGP_CREAT | FGP_STABLE | FGP_NOFS,
						  mapping_gfp_mask(mapping));

	return folio ?: ERR_PTR(-ENOMEM);
#else
	return __filemap_get_folio(mapping, index, FGP_WRITEBEGIN | FGP_NOFS | fgf_set_order(bytes),
				   mapping_gfp_mask(mapping));
#endif
}

/* From here on only single pages are added to the mapping; what is there may still be large. */
static inline void lcpfs_mapping_small_folios(struct address_space *mapping)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	clear_bit(AS_LARGE_FOLIO_SUPPORT, &mapping->flags);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	clear_bit(AS_LARGE_FOLIO_SUPPORT, &mapping->flags);
#else
	unsigned int bit;

	/* The kernel's own setter is for new mappings: it would lose a flag set meanwhile. Each step here only lowers. */
	for (bit = 0; bit < AS_FOLIO_ORDER_BITS; bit++)
		clear_bit(AS_FOLIO_ORDER_MAX + bit, &mapping->flags);
#endif
}

/*
 * A cache of objects of whole pages whose users fill what they take: where the kernel zeroes every allocation (init_on_alloc), it
 * leaves those alone that may be looked at after they were freed, which needs its list of free ones to be inside them (6.12) if a
 * page is to stay one. KASAN is for finding who does so by mistake; and who has all memory zeroed that is freed gets that.
 */
static inline struct kmem_cache *lcpfs_page_cache_create(const char *name, unsigned int bytes)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return kmem_cache_create(name, bytes, PAGE_SIZE, 0, NULL);
#else
	const bool checked = IS_ENABLED(CONFIG_KASAN) || want_init_on_free();
	struct kmem_cache_args args = { .align = PAGE_SIZE, .use_freeptr_offset = !checked };

	return kmem_cache_create(name, bytes, &args, checked ? 0 : SLAB_TYPESAFE_BY_RCU);
#endif
}

/* Copies into one folio without faulting; less than asked when the memory is not present. */
static inline size_t lcpfs_copy_to_folio(struct folio *folio, size_t offset, size_t bytes, struct iov_iter *from)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	size_t done = 0;

	while (done < bytes) {
		size_t at = offset + done;
		size_t part = min_t(size_t, bytes - done, PAGE_SIZE - offset_in_page(at));
		size_t copied = copy_page_from_iter_atomic(folio_page(folio, at >> PAGE_SHIFT),
							   offset_in_page(at), part, from);

		done += copied;
		if (copied < part)
			break;
	}
	return done;
#else
	return copy_page_from_iter_atomic(&folio->page, offset, bytes, from);
#endif
}

/*
 * Pages of memory that a request reads into, held until it is done: gives bytes, from *offset in the first page on. Of memory that is not
 * user space's nothing is pinned by the newer call: its owner keeps it.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define lcpfs_pin_pages(iter, pages, bytes, count, offset) iov_iter_get_pages2(iter, pages, bytes, count, offset)
#define lcpfs_unpin_page(page) put_page(page)
#else
static inline ssize_t lcpfs_pin_pages(struct iov_iter *iter, struct page **pages, size_t bytes, unsigned int count,
				      size_t *offset)
{
	return iov_iter_extract_pages(iter, &pages, bytes, count, 0, offset);
}
#define lcpfs_unpin_page(page) unpin_user_page(page)
#endif

/* write_cache_pages() with one kind of callback. */
typedef int (*lcpfs_write_folio_fn)(struct folio *folio, struct writeback_control *wbc, void *data);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
struct lcpfs_write_pages {
	lcpfs_write_folio_fn body;
	void *data;
};

static inline int lcpfs_write_page_adapter(struct page *page, struct writeback_control *wbc, void *data)
{
	struct lcpfs_write_pages *call = data;

	return call->body(page_folio(page), wbc, call->data);
}

static inline int lcpfs_write_cache_folios(struct address_space *mapping, struct writeback_control *wbc,
					   lcpfs_write_folio_fn body, void *data)
{
	struct lcpfs_write_pages call = { .body = body, .data = data };

	return write_cache_pages(mapping, wbc, lcpfs_write_page_adapter, &call);
}
#else
static inline int lcpfs_write_cache_folios(struct address_space *mapping, struct writeback_control *wbc,
					   lcpfs_write_folio_fn body, void *data)
{
	return write_cache_pages(mapping, wbc, body, data);
}
#endif

/* splice from the page cache */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define filemap_splice_read generic_file_splice_read
#endif

/* a_ops->error_remove_folio was error_remove_page. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define LCPFS_ERROR_REMOVE .error_remove_page = generic_error_remove_page
#else
#define LCPFS_ERROR_REMOVE .error_remove_folio = generic_error_remove_folio
#endif

/* The error of a fault from that of a filesystem call. */
static inline vm_fault_t lcpfs_fault_error(int error)
{
	switch (error) {
	case 0:
		return VM_FAULT_LOCKED;
	case -EAGAIN:
	case -EFAULT:
		return VM_FAULT_NOPAGE;
	case -ENOMEM:
		return VM_FAULT_OOM;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/*
 * Opening block devices: the handle had been the block device with a mode, then a file. `holder` not
 * NULL claims the device for it alone.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
struct lcpfs_bdev_handle {
	struct block_device *bdev;
	fmode_t mode;
};

static inline int lcpfs_bdev_open(struct lcpfs_bdev_handle *handle, const char *path, bool write, void *holder)
{
	handle->mode = FMODE_READ | (write ? FMODE_WRITE : 0) | (holder ? FMODE_EXCL : 0);
	handle->bdev = blkdev_get_by_path(path, handle->mode, holder);
	return PTR_ERR_OR_ZERO(handle->bdev);
}

static inline void lcpfs_bdev_close(struct lcpfs_bdev_handle *handle)
{
	blkdev_put(handle->bdev, handle->mode);
}
#else
struct lcpfs_bdev_handle {
	struct block_device *bdev;
	struct file *file;
};

static inline int lcpfs_bdev_open(struct lcpfs_bdev_handle *handle, const char *path, bool write, void *holder)
{
	handle->file = bdev_file_open_by_path(path, BLK_OPEN_READ | (write ? BLK_OPEN_WRITE : 0), holder, NULL);
	if (IS_ERR(handle->file))
		return PTR_ERR(handle->file);
	handle->bdev = file_bdev(handle->file);
	return 0;
}

static inline void lcpfs_bdev_close(struct lcpfs_bdev_handle *handle)
{
	bdev_fput(handle->file);
}
#endif

/* The status of a persistent reservation held by another host, under its two names. */
#ifdef BLK_STS_RESV_CONFLICT
#define LCPFS_BLK_STS_RESERVATION BLK_STS_RESV_CONFLICT
#else
#define LCPFS_BLK_STS_RESERVATION BLK_STS_NEXUS
#endif

/* Shrinkers: embedded and registered, then allocated by the kernel with a private pointer. */
#include <linux/shrinker.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define LCPFS_SHRINKER_EMBEDDED 1
#else
#define LCPFS_SHRINKER_EMBEDDED 0
#endif

#endif
