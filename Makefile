# SPDX-License-Identifier: GPL-2.0-only
# Builds the hypervisor; no configure step. `make` gives
#   build/tenon       what boot loaders and QEMU -kernel load (32-bit multiboot ELF)
#   build/tenon.gz    the same for /boot
#   build/tenon-syms  64-bit ELF with symbols and debugging data
# CC=clang, DEBUG=1 (lock order and other costly checks), BUILD=folder are understood.

CC := gcc
BUILD ?= build
# Debian's own: another python3 on the PATH may lack pytest and pexpect.
PYTHON ?= /usr/bin/python3
OBJ := $(BUILD)/obj

SOURCES := $(sort $(filter-out %/offsets.c,$(wildcard hypervisor/*/*.c hypervisor/*/*/*.c)))
ASSEMBLY := $(sort $(wildcard hypervisor/*/*.S hypervisor/*/*/*.S))
OFFSETS := $(sort $(wildcard hypervisor/*/offsets.c))
OBJECTS := $(patsubst hypervisor/%.c,$(OBJ)/%.o,$(SOURCES)) \
	$(patsubst hypervisor/%.S,$(OBJ)/%.o,$(ASSEMBLY))

# The one place that says the version is the package's changelog.
CHANGELOG := packaging/debian/changelog
VERSION := $(shell awk -F '[()]' 'NR == 1 { print $$2 }' $(CHANGELOG))

CPPFLAGS := -Ihypervisor -I$(BUILD)/include -DTENON_VERSION='"$(VERSION)"' $(if $(DEBUG),-DTENON_DEBUG)
# The same sources give the same files wherever they are built.
SAME := "-ffile-prefix-map=$(CURDIR)=."
# A parameter that a function has for its table's sake only has no name there, as in C23.
WARNINGS := -Wall -Wextra -Werror -Wno-c2x-extensions
CFLAGS = $(SAME) -std=gnu11 -O2 -g $(WARNINGS) -ffreestanding -fPIE \
	-fvisibility=hidden -include hypervisor/cpu/hidden.h \
	-fno-common -fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-jump-tables \
	-ffunction-sections -fdata-sections -falign-jumps=1 -falign-loops=1 -Wno-ignored-optimization-argument \
	-mno-red-zone -mgeneral-regs-only $(STACK_OF_8) \
	-fstack-protector-strong -mstack-protector-guard=global -fcf-protection=none
# Indirect branches through cpu/thunk.S.
THUNKS := $(if $(findstring clang,$(CC)),-mretpoline -mretpoline-external-thunk,-mindirect-branch=thunk-extern -mindirect-branch-register)
CFLAGS += $(THUNKS)
# Nothing on our stacks needs more than 8 bytes' alignment, without vector registers.
STACK_OF_8 := $(if $(findstring clang,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3)
ASFLAGS := $(SAME) -g -Wa,--noexecstack
# Without relaxation: the libraries' table of addresses stays one, see .got in the script.
LDFLAGS := -nostdlib --no-relax --gc-sections --no-warn-rwx-segments -z noexecstack -z max-page-size=4096 \
	--build-id=none
# The decompressors of kernel images; they end up in the init region.
ARCHIVES := $(foreach name,lzma z zstd lz4,$(shell $(CC) -print-file-name=lib$(name).a))

.DEFAULT_GOAL := all
.PHONY: all
all: $(BUILD)/tenon $(BUILD)/tenon.gz

# Size counts as well as speed: what a guest does often is made fast, all else small.
HOT := pv/% hvm/% emulate/% memory/frame memory/alloc cpu/% platform/clock platform/irq platform/apic core/access core/event% core/grant% \
	core/physmap core/sched% core/timer core/vcpu hypercall/table hypercall/event_op hypercall/grant_op hypercall/sched_op \
	hypercall/vcpu_op hypercall/misc_op hypercall/memory_reservation
COLD := core/grant core/sched_cpus cpu/desc cpu/features cpu/symbols hvm/dev/d% hvm/dev/h% hvm/dev/i% hvm/dev/p% hvm/dev/rtc \
	hvm/context hvm/domain hvm/emulate hvm/io hvm/msr hvm/walk pv/domain pv/ports
optimise = $(if $(filter $(HOT),$(filter-out $(COLD),$(1))),-O2,-Os)

$(OBJ)/%.o: hypervisor/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(call optimise,$*) -MMD -MP -c $< -o $@

$(OBJ)/%.o: hypervisor/%.S $(BUILD)/include/asm-offsets.h Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -D__ASSEMBLY__ $(ASFLAGS) -MMD -MP -c $< -o $@

$(OBJ)/boot/init.o: $(CHANGELOG)
# The libraries have vector registers, whose values they put on the stack.
$(OBJ)/boot/decompress.o: STACK_OF_8 :=

# Offsets that assembly needs, from every folder that has some.
$(OBJ)/%/offsets.s: hypervisor/%/offsets.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -g0 -MMD -MP -MT $@ -S $< -o $@

$(BUILD)/include/asm-offsets.h: $(patsubst hypervisor/%.c,$(OBJ)/%.s,$(OFFSETS))
	@mkdir -p $(@D)
	@{ echo '/* Made from all offsets.c. */'; \
	sed -n 's/^.*"->\([A-Za-z0-9_]*\) \$$*\(-*[0-9]*\)".*/#define \1 \2/p' $^; } >$@.new
	@cmp -s $@.new $@ || mv $@.new $@; rm -f $@.new

# The console's font on a framebuffer.
FONT := /usr/share/consolefonts/Unifont-APL8x16.psf.gz
$(BUILD)/include/font.inc: $(FONT) tools/font
	@mkdir -p $(@D)
	@$(PYTHON) tools/font $< >$@.new && mv $@.new $@
$(FONT):
	@echo "$(FONT) is missing: install psf-unifont, or run dom0/setup" >&2; exit 1
$(OBJ)/platform/framebuffer.o: $(BUILD)/include/font.inc

$(BUILD)/tenon.lds: hypervisor/tenon.lds.S hypervisor/cpu/layout.h Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -D__ASSEMBLY__ -E -P -x c $< -o $@

# Two links: the first tells the addresses of functions, the second has their
# names in it. Text does not move between them, since the tables come after it.
LINK = $(LD) $(LDFLAGS) -T $(BUILD)/tenon.lds $(OBJECTS) $(1) $(ARCHIVES) -o $(2)
define symbols
@$(PYTHON) tools/symbols $(1) >$(2).S
@$(CC) -c $(2).S -o $(2).o
endef

$(BUILD)/tenon-syms: $(OBJECTS) $(BUILD)/tenon.lds tools/symbols
	$(call symbols,/dev/null,$(OBJ)/symbols-none)
	@$(call LINK,$(OBJ)/symbols-none.o,$(OBJ)/tenon-first)
	@nm $(OBJ)/tenon-first >$(OBJ)/tenon-first.nm
	$(call symbols,$(OBJ)/tenon-first.nm,$(OBJ)/symbols-all)
	@$(call LINK,$(OBJ)/symbols-all.o,$@)
	@rm $(OBJ)/tenon-first

$(BUILD)/tenon: $(BUILD)/tenon-syms tools/elf32
	@$(PYTHON) tools/elf32 $< $@

$(BUILD)/tenon.gz: $(BUILD)/tenon
	@gzip -9nc $< >$@

-include $(OBJECTS:.o=.d) $(patsubst hypervisor/%.c,$(OBJ)/%.d,$(OFFSETS))
-include tests/unit/rules.mk tests/fuzz/rules.mk guests/rules.mk

# What stays in memory, and what is freed after boot.
.PHONY: size
size: $(BUILD)/tenon-syms
	@$(PYTHON) tools/size $<

.PHONY: lint
lint: $(BUILD)/include/asm-offsets.h $(BUILD)/include/font.inc
	@$(PYTHON) tools/lint

# Real mistakes, not taste: .clang-tidy says which.
.PHONY: tidy
tidy: $(BUILD)/include/asm-offsets.h $(BUILD)/include/font.inc
	@clang-tidy --quiet $(SOURCES) -- $(CPPFLAGS) $(filter-out -mstack-protector-guard=global -mpreferred-stack-boundary=3 $(THUNKS),$(CFLAGS)) 2>/dev/null

# gcc's analyzer over everything above cpu/ and platform/: minutes, and what it says is to be judged, docs/testing.md.
ANALYZED := $(filter $(foreach folder,lib memory emulate core hvm pv hypercall,hypervisor/$(folder)/%),$(SOURCES))
.PHONY: analyze $(ANALYZED:%=analyze-%)
analyze: $(ANALYZED:%=analyze-%)
$(ANALYZED:%=analyze-%): analyze-%: $(BUILD)/include/asm-offsets.h
	@gcc $(CPPFLAGS) $(filter-out -Werror -O2 -g,$(CFLAGS)) -O1 -fanalyzer -c $* -o /dev/null

.PHONY: setup image run
setup:
	dom0/setup
image: setup
	dom0/image
# What is built needs what set-up installs, so it is a make of its own.
run: image
	@$(MAKE) --no-print-directory -j2 all
	dom0/run

# Everything there is to test, with one count at the end.
.PHONY: test
test: setup
	@tools/test $(MAKE)

ifneq ($(wildcard tests/system),)
.PHONY: system
# Two machines at a time, each with the tests of a file: booting keeps one processor busy.
system: all image guests
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile --durations=20 tests/system
endif

# The Debian package, build/tenon-hypervisor_VERSION_amd64.deb.
.PHONY: deb packaging
deb:
	@packaging/build --setup

ifneq ($(wildcard tests/packaging),)
# The tests mount, in a namespace of their own.
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo -n -E)
packaging: all image deb
	@$(AS_ROOT) $(PYTHON) -m pytest -q -n 2 --dist loadfile tests/packaging
endif

# HVM guests with the stock device model, all of them; CI has the first.
.PHONY: test-hvm
test-hvm: all image guests
	@TENON_SLOW=1 $(PYTHON) -m pytest -q tests/system/test_hvm.py

# Guests that want to break the hypervisor, for so long, from this seed on; what fails names the pair's seed.
SECONDS ?= 60
SEED ?= 1
.PHONY: fuzz-guest
fuzz-guest: all guests
	@$(PYTHON) tests/micro/micro.py --smp 2 --append guest_loglvl=none --deadline $$((3 * $(SECONDS) + 60)) \
		--words "seconds=$(SECONDS) seed=$(SEED)" fuzz

# docs/guide.md, every command of it, on a Debian disk that is built once and kept. About half an hour.
.PHONY: test-guide
test-guide: setup deb
	tests/guide/disk
	@TENON_GUIDE=1 $(PYTHON) -m pytest -q --durations=0 --durations-min=1 tests/guide
	@$(PYTHON) tests/guide/boot_time

.PHONY: bench
bench: all image
	dom0/setup --stock
	bench/compare
# How single operations grow with what is in use besides.
.PHONY: bench-scale
bench-scale: all
	dom0/setup --stock
	bench/compare scale crowd
# For how long the hypervisor has interrupts off, at most.
.PHONY: longest
longest: all guests image
	bench/longest
# Whether an operation became worse than what is recorded; without dom0's kernel and the stock hypervisor.
.PHONY: bench-quick
bench-quick: all
	bench/compare --quick

.PHONY: clean distclean
clean:
	rm -rf $(OBJ) $(BUILD)/include $(BUILD)/tenon $(BUILD)/tenon.gz $(BUILD)/tenon-syms $(BUILD)/tenon.lds
distclean:
	rm -rf $(BUILD)
