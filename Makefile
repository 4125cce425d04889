# SPDX-License-Identifier: GPL-2.0-only
#
# lcpfs: what a person and CI type. Everything made goes to build/ (kernels and other large things
# that outlive a checkout go to $(LCPFS_CACHE), by default ~/.cache/lcpfs).
#
#   make            module for the running kernel (KVER=release or KDIR=directory for another one,
#                   KERNEL=6.1|6.12|debug for one of the test kernels) and the tools
#   make deps       what is missing of the build and test dependencies, by apt-get
#   make demo       two disks, a real source tree, a killed machine; stock 6.12 in QEMU
#   make demo-all [KERNEL=..]     the same on every test kernel
#   make test       tidy unit sim kunit guest, one sum at the end
#   make unit | sim [SEEDS=.. SAN=1 BREAK=name] | sim-broken | fuzz [SECONDS=..] | tidy | sparse
#   make bench [WORK=name]        lcpfs beside ext4, XFS and btrfs in a guest: a table, and build/bench/compare.json
#                                 (ARGS="--mode growth|disk" and more: qemu/bench.py)
#   make bench-core [WORK=name]   instructions of the core alone, per operation, by valgrind's callgrind
#   make kunit      all core cases inside the debug kernel
#   make guest [CASE=name] [KERNEL=6.1|6.12|debug]       make shell [KERNEL=..]
#   make install [DESTDIR= PREFIX=] | dkms | uninstall | clean
#   make reproducible  builds twice, and compares what make install puts in place
#   make installed  a fresh Debian in QEMU that gets lcpfs as the README says and mounts a pool at boot
#
# BREAK=name compiles -DLCPFS_BREAK_NAME into core and tests, in objects of its own: a deliberately
# broken build that the simulator has to catch.

top := $(CURDIR)
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
.DELETE_ON_ERROR:
.SECONDARY:

VERSION := 0.1
PREFIX ?= /usr
LCPFS_CACHE ?= $(HOME)/.cache/lcpfs
export LCPFS_CACHE

all: kmod tools

# ---- the module

ifdef KERNEL
KDIR := $(shell qemu/kernels/get.sh $(KERNEL))/build
endif
ifndef KDIR
ifdef KVER
KDIR := $(firstword $(wildcard /lib/modules/$(KVER)/build /usr/src/linux-headers-$(KVER) \
	$(LCPFS_CACHE)/stock-$(KVER)/build))
else
# The running kernel, else the newest headers installed, else those of the test kernels.
kdirs := $(shell ls -d /lib/modules/*/build /usr/src/linux-headers-*[0-9a-z]/.config 2>/dev/null | \
	sed 's,/\.config$$,,' | sort -V -r) $(wildcard $(LCPFS_CACHE)/stock-6.12*/build $(LCPFS_CACHE)/stock-6.1*/build)
KDIR := $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) $(kdirs))
endif
endif
# The release is read when a recipe needs it: `make deps` must run where there is no kernel at all.
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
kmod_dir = build/kmod-$(release)
kunit_flag = $(if $(shell grep -s '^CONFIG_KUNIT=y' $(KDIR)/.config),LCPFS_KUNIT=1)
# Where it was built is not in it (make reproducible); by KCFLAGS, since kbuild compiles a file of its own beside ours. And no BTF: pahole
# encodes it in several threads, in another order each time.
kbuild = $(MAKE) -C $(KDIR) M=$(top)/$(kmod_dir) $(kunit_flag) KCFLAGS=-ffile-prefix-map=$(top)/= CONFIG_DEBUG_INFO_BTF_MODULES= modules
# A warning of compiler, objtool or modpost is an error; what says it is linked again next time.
kbuild_complaints = grep -i -E 'warning|error:' $(kmod_dir)/log | grep -v 'the compiler differs'
define kmod_prepare
@test -n "$(release)" || { echo "lcpfs: no kernel headers for $(or $(KVER),$(KDIR),$(shell uname -r)): 'make deps' fetches some, KVER= or KDIR= chooses" >&2; exit 1; }
@mkdir -p $(kmod_dir)
@printf 'lcpfs_top := %s\ninclude $$(lcpfs_top)/Kbuild\n' $(top) | cmp -s - $(kmod_dir)/Kbuild || \
	printf 'lcpfs_top := %s\ninclude $$(lcpfs_top)/Kbuild\n' $(top) >$(kmod_dir)/Kbuild
endef

kmod:
	$(kmod_prepare)
	+@$(kbuild) 2>&1 | tee $(kmod_dir)/log
	@! $(kbuild_complaints) >/dev/null || { rm -f $(kmod_dir)/lcpfs*.{o,ko} $(kmod_dir)/core*.o; echo "lcpfs: the build is not free of warnings" >&2; exit 1; }

# Sparse with endian checks over every C file; any word from it is an error.
sparse:
	$(kmod_prepare)
	+@$(kbuild) C=2 CF=-D__CHECK_ENDIAN__ 2>&1 | tee $(kmod_dir)/log
	@! $(kbuild_complaints) >/dev/null

# ---- userspace: the same core in a process

CXX := g++
CLANGXX := clang++-14
base_flags := -std=c++20 -g -Wall -Wextra -Werror -fno-omit-frame-pointer -Iuserspace/host/include -I. \
	-Wframe-larger-than=65536 $(if $(BREAK),-DLCPFS_BREAK_$(shell echo $(BREAK) | tr a-z- A-Z_))
core_flags := -fno-exceptions -fno-rtti
libs := -Wl,--as-needed -lfmt -lblkid -luuid -llz4 -lzstd -lpthread
suffix := $(if $(BREAK),-$(BREAK))

opt := opt$(suffix)
asan := asan$(suffix)
fuzz := fuzz$(suffix)
# What is installed is the same wherever it was built (make reproducible).
cxx_$(opt) := $(CXX) -O2 $(base_flags) -ffile-prefix-map=$(top)=.
cxx_$(asan) := $(CXX) -O1 $(base_flags) -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
cxx_$(fuzz) := $(CLANGXX) -O1 $(base_flags) -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize=vptr,function -fno-sanitize-recover=all -Wno-unknown-warning-option

find = $(sort $(shell find $(1) -name '*.cc' 2>/dev/null))
core_all := $(call find,core)
core_test := $(filter %_test.cc core/test/%,$(core_all))
core := $(filter-out $(core_test),$(core_all))
objs = $(patsubst %.cc,build/obj/$(1)/%.o,$(2))

# A variant's objects depend on a file that holds its command, so that a change of flags rebuilds.
define variant
build/obj/$(1)/flags: FORCE
	@mkdir -p $$(@D); echo '$$(cxx_$(1))' | cmp -s - $$@ || echo '$$(cxx_$(1))' >$$@
build/obj/$(1)/core/%.o: core/%.cc build/obj/$(1)/flags
	@mkdir -p $$(@D); echo "  CXX     $$@"
	@$$(cxx_$(1)) $(core_flags) -MMD -MP -c -o $$@ $$<
build/obj/$(1)/userspace/%.o: userspace/%.cc build/obj/$(1)/flags
	@mkdir -p $$(@D); echo "  CXX     $$@"
	@$$(cxx_$(1)) -MMD -MP -c -o $$@ $$<
# An archive: the simulator, a host of its own, takes from it only what it does not bring.
build/obj/$(1)/host.a: $(call objs,$(1),$(call find,userspace/host))
	@mkdir -p $$(@D); rm -f $$@; ar rcs $$@ $$^
endef
$(foreach v,$(opt) $(asan) $(fuzz),$(eval $(call variant,$(v))))

define link
@mkdir -p $(@D); echo "  LINK    $@"
@$(cxx_$(1)) $(2) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(libs)
endef

bin_mkfs := mkfs.lcpfs
bin_fsck := fsck.lcpfs
bin_mount := mount.lcpfs
bin_lcpfs := lcpfs
tool_dirs := $(patsubst userspace/%/main.cc,%,$(wildcard $(patsubst %,userspace/%/main.cc,mkfs fsck mount lcpfs)))
define tool
build/bin/$(bin_$(1)): $(call objs,$(opt),$(call find,userspace/$(1) userspace/common) $(core)) build/obj/$(opt)/host.a
	$$(call link,$(opt))
endef
$(foreach t,$(tool_dirs),$(eval $(call tool,$(t))))
tools: $(foreach t,$(tool_dirs),build/bin/$(bin_$(t)))

build/test/unit$(suffix): $(call objs,$(asan),$(call find,userspace/test) $(core_all)) build/obj/$(asan)/host.a
	$(call link,$(asan))
build/test/sim$(suffix): $(call objs,$(opt),$(call find,userspace/sim) $(core)) build/obj/$(opt)/host.a
	$(call link,$(opt))
build/test/sim-asan$(suffix): $(call objs,$(asan),$(call find,userspace/sim) $(core)) build/obj/$(asan)/host.a
	$(call link,$(asan))
# Programs of guest cases, for guests that have no libraries (the case's head: `# files: build/test/torture`).
build/test/torture: $(wildcard userspace/torture/*)
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CXX) -O2 -static $(base_flags) -o $@ $(filter %.cc,$^)

# What guest cases use beside ordinary programs; a test program, so not in build/bin.
build/test/guestkit: $(call objs,$(opt),$(call find,userspace/guest) $(core)) build/obj/$(opt)/host.a
	$(call link,$(opt))
sim_program := build/test/sim$(if $(SAN),-asan)$(suffix)

fuzzers := $(patsubst userspace/fuzz/%.cc,build/fuzz/%,$(wildcard userspace/fuzz/*.cc))
$(fuzzers): build/fuzz/%: build/obj/$(fuzz)/userspace/fuzz/%.o $(call objs,$(fuzz),$(core)) build/obj/$(fuzz)/host.a
	$(call link,$(fuzz),-fsanitize=fuzzer)
fuzzers: $(fuzzers)

# The works of the comparison bench; static, as torture is.
build/test/load: $(wildcard userspace/bench/load/*)
	@mkdir -p $(@D); echo "  LINK    $@"
	@$(CXX) -O2 -static $(base_flags) -o $@ $(filter %.cc,$^)

benches := $(patsubst userspace/bench/core/%.cc,build/bench/%,$(wildcard userspace/bench/core/*.cc))
$(benches): build/bench/%: build/obj/$(opt)/userspace/bench/core/%.o $(call objs,$(opt),$(core)) build/obj/$(opt)/host.a
	$(call link,$(opt))

-include $(shell find build/obj -name '*.d' 2>/dev/null)

# ---- the tests; each part ends with `lcpfs-result: PART N passed, N failed`, kept in build/results/

unit: build/test/unit$(suffix)
	@qemu/part.sh unit $< $(ARGS)
sim: $(sim_program)
	@qemu/part.sh sim $< $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)
# Each deliberate mistake has to be found.
sim-broken:
	+@$(MAKE) BREAK=choosable build/test/sim-choosable
	@qemu/part.sh sim-broken qemu/sim-broken.sh build/test/sim-choosable
tidy:
	@+qemu/part.sh tidy python3 userspace/tidy/tidy.py --cxx $(CLANGXX) --make "$(MAKE)" $(ARGS)
fuzz: $(fuzzers)
	@qemu/part.sh fuzz qemu/fuzz.sh $(or $(SECONDS),60) $(fuzzers)
bench: tools build/test/load kmod-for-6.12
	@qemu/bench.py $(if $(WORK),--work $(WORK)) $(ARGS)
bench-core: $(benches)
	@userspace/bench/core/callgrind.py build/bench/file_data $(if $(WORK),"$(WORK)")
	@build/bench/single_path

# Guests: qemu/run builds the initramfs and boots; what it boots is made here.
kernels := $(or $(KERNEL),6.12 6.1 debug)
kmod-for-%:
	@+$(MAKE) kmod KDIR=$$(qemu/kernels/get.sh $*)/build
guest-build: tools build/test/torture build/test/guestkit | $(foreach k,$(kernels),kmod-for-$(k))
guest: guest-build
	@qemu/part.sh guest qemu/run $(foreach k,$(kernels),--kernel $(k)) $(if $(CASE),--case $(CASE)) $(ARGS)
kunit: kmod-for-debug
	@qemu/part.sh kunit qemu/run --kernel debug --case kunit $(ARGS)
shell: tools kmod-for-$(or $(KERNEL),6.12)
	@qemu/run --kernel $(or $(KERNEL),6.12) --shell $(ARGS)
demo: deps
	@+$(MAKE) demo-run
demo-run: tools kmod-for-6.12
	@qemu/run --kernel 6.12 --case demo --follow $(ARGS)
# The whole tree on every kernel; the debug kernel, which is ten times slower, has no part of it in `make test`.
demo-all: guest-build
	@qemu/run $(foreach k,$(kernels),--kernel $(k)) --case demo --payload tree --patience 3 $(ARGS)
test:
	@qemu/test.sh "$(MAKE)"

deps:
	@qemu/deps.sh

# ---- putting it in place

# mount(8) and fsck(8) look for what is a filesystem's in /sbin, which is /usr/sbin, wherever the rest is.
sbin := $(DESTDIR)$(PREFIX)/sbin
pages := $(notdir $(wildcard userspace/man/*))
commands := lcpfs mkfs.lcpfs fsck.lcpfs mount.lcpfs
completions := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
source := /usr/src/lcpfs-$(VERSION)
dkms_knows = dkms status -m lcpfs 2>/dev/null | grep -q .

install: install-tools install-module
install-tools: tools
	install -d $(sbin) $(DESTDIR)/lib/udev/rules.d $(completions) \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -s -m 755 $(commands:%=build/bin/%) $(sbin)/
	$(if $(filter-out /usr,$(PREFIX)),install -d $(DESTDIR)/sbin; \
		for helper in mkfs fsck mount; do ln -sf $(PREFIX)/sbin/$$helper.lcpfs $(DESTDIR)/sbin/; done)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' userspace/system/64-lcpfs.rules >$(DESTDIR)/lib/udev/rules.d/64-lcpfs.rules
	for page in $(pages); do \
		gzip -9n <userspace/man/$$page >$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page.gz; done
	install -d $(DESTDIR)$(PREFIX)/share/lcpfs
	install -m 644 userspace/system/lcpfs.schema.json $(DESTDIR)$(PREFIX)/share/lcpfs/
	for name in $(commands); do install -m 644 userspace/system/lcpfs.bash $(completions)/$$name; done

# The module for one kernel, which goes with that kernel; not beside one that DKMS looks after.
install-module: kmod
	@! { [ -z "$(DESTDIR)" ] && $(dkms_knows); } || \
		{ echo "lcpfs: DKMS has the module already: make dkms renews it, make uninstall takes it out" >&2; exit 1; }
	install -d $(DESTDIR)/lib/modules/$(release)/updates
	install -m 644 $(kmod_dir)/lcpfs.ko $(DESTDIR)/lib/modules/$(release)/updates/
	$(if $(DESTDIR),,depmod -a $(release))

# The tools, and the module by DKMS: now for every kernel that has its headers here, later for each that comes.
dkms: install-tools
	@command -v dkms >/dev/null || { echo "lcpfs: there is no dkms here: apt-get install dkms" >&2; exit 1; }
	@ls -d /lib/modules/*/build >/dev/null 2>&1 || \
		{ echo "lcpfs: no kernel has its headers here: apt-get install linux-headers-amd64" >&2; exit 1; }
	if $(dkms_knows); then dkms remove -m lcpfs -v $(VERSION) --all; fi
	rm -f /lib/modules/*/updates/lcpfs.ko
	rm -rf $(source)
	install -d $(source)
	tar -cf - Makefile Kbuild dkms.conf LICENSE core shim kmod | tar -C $(source) -xf -
	dkms add -m lcpfs -v $(VERSION)
	for build in /lib/modules/*/build; do \
		dkms install -m lcpfs -v $(VERSION) -k $$(basename $${build%/build}) || exit 1; done

uninstall:
	$(if $(DESTDIR),,if $(dkms_knows); then dkms remove -m lcpfs -v $(VERSION) --all; fi; rm -rf $(source))
	rm -f $(commands:%=$(sbin)/%) $(DESTDIR)/lib/udev/rules.d/64-lcpfs.rules $(commands:%=$(completions)/%)
	rm -f $(foreach page,$(pages),$(DESTDIR)$(PREFIX)/share/man/man*/$(page).gz)
	rm -rf $(DESTDIR)$(PREFIX)/share/lcpfs
	$(if $(filter-out /usr,$(PREFIX)),rm -f $(patsubst %,$(DESTDIR)/sbin/%.lcpfs,mkfs fsck mount))
	rm -f $(DESTDIR)/lib/modules/*/updates/lcpfs.ko
	$(if $(DESTDIR),,for kernel in /lib/modules/*/modules.dep; do depmod -a $$(basename $${kernel%/modules.dep}); done)

# All of that as the README tells it, on a fresh Debian in QEMU: DKMS, both kernels, mounted at boot by /etc/fstab.
installed:
	@qemu/installed/try.bash
reproducible:
	@qemu/reproducible.sh "$(MAKE)"

clean:
	rm -rf build

FORCE:
.PHONY: all kmod tools sparse unit sim sim-broken tidy fuzz fuzzers bench bench-core guest guest-build kunit shell demo demo-run demo-all \
	test deps install install-tools install-module dkms uninstall installed reproducible clean FORCE
