# SPDX-License-Identifier: GPL-2.0-only
# Unit tests on the host. Included by the top Makefile; `make unit` builds and
# runs them all, `make unit-NAME` one of them with its full output.
#
# To add a test: write tests/unit/test_NAME.c with a cmocka main(). Its first
# lines say what of the hypervisor is linked in, relative to hypervisor/:
#     // sources: lib/bitmap.c lib/list.c
#     // libs: -lz            (optional: host libraries)
# Everything is compiled with -DTENON_HOST and under address and undefined
# sanitizers. tests/unit/host comes first in the include path: a header there
# stands in for the hypervisor's header of the same name (one with privileged
# instructions, say). host/host.c is always linked: panic() and assertions abort.
# Include <stdarg.h> <stddef.h> <setjmp.h> <stdint.h> before <cmocka.h>.

BUILD ?= build
UNIT_CC ?= gcc
UNIT_OUT := $(BUILD)/unit
HOST_CFLAGS := -std=gnu11 -O1 -g $(WARNINGS) -fno-strict-aliasing -fno-common \
	-fno-omit-frame-pointer -ffunction-sections -DTENON_HOST -Itests/unit/host -Ihypervisor \
	-I$(BUILD)/include
HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

# What the host's library has, too: tests compare the two, so ours get other names.
HOST_NAMES := memcpy memmove memset memcmp strlen strnlen strcmp strncmp strchr strstr snprintf vsnprintf
%/obj/lib/string.o %/obj/lib/printf.o: HOST_CFLAGS += $(foreach name,$(HOST_NAMES),-D$(name)=tenon_$(name))

UNIT_TESTS := $(patsubst tests/unit/test_%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

# $(call host_words,KEY,FILE): what the line "// KEY: ..." of FILE says.
host_words = $(shell sed -n '1,12s,^// $(1): *,,p' $(2))
# $(call host_sources,FILE): its sources; "whole" is all that host/whole_world.h stands on.
WHOLE := $(filter-out %/offsets.c hvm/exit.c,$(patsubst hypervisor/%,%,$(wildcard $(foreach folder,hypercall core emulate pv hvm hvm/dev, \
	hypervisor/$(folder)/*.c)))) memory/frame.c memory/alloc.c memory/heap.c memory/p2m.c lib/bitmap.c lib/tree.c lib/rangeset.c platform/rtc.c
host_sources = $(foreach word,$(call host_words,sources,$(1)),$(if $(filter whole,$(word)),$(WHOLE),$(word)))

define unit_rules
$(UNIT_OUT)/test_$(1): $(UNIT_OUT)/test/test_$(1).o $(UNIT_OUT)/host/host.o \
		$$(patsubst %.c,$(UNIT_OUT)/obj/%.o,$$(call host_sources,tests/unit/test_$(1).c))
	@$(UNIT_CC) $(HOST_SANITIZE) $$^ -o $$@ -lcmocka $$(call host_words,libs,tests/unit/test_$(1).c)
.PHONY: unit-$(1)
unit-$(1): $(UNIT_OUT)/test_$(1)
	$$<
endef
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_rules,$(test))))

$(UNIT_OUT)/test/test_framebuffer.o: $(BUILD)/include/font.inc
$(UNIT_OUT)/test/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	@$(UNIT_CC) $(HOST_CFLAGS) $(HOST_SANITIZE) -MMD -MP -c $< -o $@
$(UNIT_OUT)/host/%.o: tests/unit/host/%.c
	@mkdir -p $(@D)
	@$(UNIT_CC) $(HOST_CFLAGS) $(HOST_SANITIZE) -MMD -MP -c $< -o $@
$(UNIT_OUT)/obj/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	@$(UNIT_CC) $(HOST_CFLAGS) $(HOST_SANITIZE) -MMD -MP -c $< -o $@

.PHONY: unit
unit: $(UNIT_TESTS:%=$(UNIT_OUT)/test_%)
	@tests/unit/run.sh $^

# Those with threads under the thread sanitizer.
THREADED := pv_types_smp
.PHONY: tsan
tsan: $(BUILD)/include/asm-offsets.h
	@mkdir -p $(BUILD)/tsan && rm -rf $(BUILD)/tsan/include && cp -r $(BUILD)/include $(BUILD)/tsan/
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan HOST_SANITIZE=-fsanitize=thread $(THREADED:%=$(BUILD)/tsan/unit/test_%)
	@TSAN_OPTIONS="suppressions=tests/unit/tsan.supp history_size=7 exitcode=66" tests/unit/run.sh $(THREADED:%=$(BUILD)/tsan/unit/test_%)

-include $(wildcard $(UNIT_OUT)/test/*.d $(UNIT_OUT)/host/*.d)
-include $(wildcard $(UNIT_OUT)/obj/*.d $(UNIT_OUT)/obj/*/*.d $(UNIT_OUT)/obj/*/*/*.d)
