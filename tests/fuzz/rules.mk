# SPDX-License-Identifier: GPL-2.0-only
# Fuzzers on the host (clang's libFuzzer with sanitizers). Included by the top
# Makefile after tests/unit/rules.mk; `make fuzz FUZZ_SECONDS=6` runs each one
# for that long, `make fuzz RUNS=10000000` that many inputs, `make fuzz-NAME` one
# of them. A crash, a hang or a leak fails and leaves the input as
# build/fuzz/NAME-crash-...; feed that to build/fuzz/NAME.
#
# To add one: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(), its first
# lines as for unit tests plus, if wanted, libFuzzer options:
#     // sources: boot/image.c
#     // libs: -lz
#     // options: -max_len=4096
# If tests/fuzz/seeds_NAME.c exists it is built (no hypervisor sources) and run
# with the corpus folder as its argument, to write the first inputs there.
# tests/fuzz/corpus/NAME.tar.xz has those that long runs have found, each for
# something that the others do not reach: `make fuzz-keep` after such runs.

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 6
HOW_LONG = $(if $(RUNS),-runs=$(RUNS),-max_total_time=$(FUZZ_SECONDS))
FUZZ_OUT := $(BUILD)/fuzz
FUZZ_SANITIZE := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# FUZZ_LONG=1, for millions of runs: a build of its own that does not watch comparisons, which
# costs more than all else and helps parsers of magic numbers alone; and short inputs.
ifdef FUZZ_LONG
FUZZ_OUT := $(BUILD)/fuzz-long
FUZZ_SANITIZE += -fno-sanitize-coverage=trace-cmp -O2
SHORT := -max_len=128
endif
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

define fuzz_rules
$(FUZZ_OUT)/$(1): $(FUZZ_OUT)/fuzz/fuzz_$(1).o $(FUZZ_OUT)/host/host.o \
		$$(patsubst %.c,$(FUZZ_OUT)/obj/%.o,$$(call host_sources,tests/fuzz/fuzz_$(1).c))
	@$(FUZZ_CC) $(FUZZ_SANITIZE) $$^ -o $$@ $$(call host_words,libs,tests/fuzz/fuzz_$(1).c)
$(FUZZ_OUT)/corpus/$(1)/.seeded: $(if $(wildcard tests/fuzz/seeds_$(1).c),$(FUZZ_OUT)/seeds_$(1)) \
		$(wildcard tests/fuzz/corpus/$(1).tar.xz)
	@mkdir -p $$(@D)
	@$$(if $$(filter %/seeds_$(1),$$^),$(FUZZ_OUT)/seeds_$(1) $$(@D),:)
	@$$(if $$(filter %.tar.xz,$$^),tar -C $$(@D) -xJf tests/fuzz/corpus/$(1).tar.xz,:)
	@touch $$@
.PHONY: fuzz-keep-$(1)
fuzz-keep-$(1): $(FUZZ_OUT)/$(1) $(FUZZ_OUT)/corpus/$(1)/.seeded
	@rm -rf $(FUZZ_OUT)/keep/$(1) && mkdir -p $(FUZZ_OUT)/keep/$(1) tests/fuzz/corpus
	@$$< -merge=1 $$(call host_words,options,tests/fuzz/fuzz_$(1).c) $(FUZZ_OUT)/keep/$(1) $(FUZZ_OUT)/corpus/$(1) >$$<.log 2>&1
	@tar -C $(FUZZ_OUT)/keep/$(1) --sort=name --owner=0 --group=0 --mtime=@0 -cJf tests/fuzz/corpus/$(1).tar.xz .
.PHONY: fuzz-$(1)
fuzz-$(1): $(FUZZ_OUT)/$(1) $(FUZZ_OUT)/corpus/$(1)/.seeded
	@if $$< $(HOW_LONG) -timeout=10 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_OUT)/$(1)- $$(call host_words,options,tests/fuzz/fuzz_$(1).c) \
		$(SHORT) $(FUZZ_OUT)/corpus/$(1) >$$<.log 2>&1; \
	then echo "fuzz: $(1) ok," \
		"$$$$(sed -n 's/^stat::number_of_executed_units: *//p' $$<.log) runs"; \
	else tail -n 60 $$<.log; echo "fuzz: $(1) FAILED"; exit 1; fi
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call fuzz_rules,$(fuzzer))))

$(FUZZ_OUT)/seeds_%: tests/fuzz/seeds_%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(HOST_CFLAGS) -MMD -MP -MF $@.d $< -o $@ $(call host_words,libs,$<)
$(FUZZ_OUT)/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(HOST_CFLAGS) $(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ_OUT)/host/%.o: tests/unit/host/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(HOST_CFLAGS) $(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ_OUT)/obj/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(HOST_CFLAGS) $(FUZZ_SANITIZE) -MMD -MP -c $< -o $@

.PHONY: fuzz
fuzz: $(FUZZERS:%=fuzz-%)
.PHONY: fuzz-keep
fuzz-keep: $(FUZZERS:%=fuzz-keep-%)

-include $(wildcard $(FUZZ_OUT)/*.d $(FUZZ_OUT)/fuzz/*.d $(FUZZ_OUT)/host/*.d)
-include $(wildcard $(FUZZ_OUT)/obj/*/*.d $(FUZZ_OUT)/obj/*/*/*.d)

# Which lines the unit tests and the fuzzers' inputs run: everything once more, by
# gcc without sanitizers, each object's counters added up over the programs that
# link it. Files that no program links count as well.
COVER := $(BUILD)/coverage
COVERED := $(patsubst %.c,$(COVER)/unit/obj/%.o,$(patsubst hypervisor/%,%,$(wildcard $(foreach folder,hypercall core pv emulate memory, \
	hypervisor/$(folder)/*.c))))
.PHONY: coverage coverage-play
coverage: $(BUILD)/include/asm-offsets.h $(BUILD)/include/font.inc $(FUZZERS:%=$(FUZZ_OUT)/corpus/%/.seeded)
	@mkdir -p $(COVER) && rm -rf $(COVER)/include && cp -r $(BUILD)/include $(COVER)/
	@find $(COVER) -name '*.gcda' -delete
	@$(MAKE) --no-print-directory BUILD=$(COVER) HOST_SANITIZE="--coverage -O0" CORPUS=$(FUZZ_OUT)/corpus unit coverage-play \
		>$(COVER)/log 2>&1 || { tail -n 40 $(COVER)/log; exit 1; }
	@$(PYTHON) tools/coverage $(COVER)

define play_rules
$(UNIT_OUT)/fuzz_$(1): $(UNIT_OUT)/fuzz/fuzz_$(1).o $(UNIT_OUT)/fuzz/replay.o $(UNIT_OUT)/host/host.o \
		$$(patsubst %.c,$(UNIT_OUT)/obj/%.o,$$(call host_sources,tests/fuzz/fuzz_$(1).c))
	@$(UNIT_CC) $(HOST_SANITIZE) $$^ -o $$@ $$(call host_words,libs,tests/fuzz/fuzz_$(1).c)
.PHONY: play-$(1)
play-$(1): $(UNIT_OUT)/fuzz_$(1)
	@$$< $(CORPUS)/$(1)
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call play_rules,$(fuzzer))))
$(UNIT_OUT)/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	@$(UNIT_CC) $(HOST_CFLAGS) $(HOST_SANITIZE) -MMD -MP -c $< -o $@
coverage-play: $(COVERED:$(COVER)/%=$(BUILD)/%) $(FUZZERS:%=play-%)
-include $(wildcard $(UNIT_OUT)/fuzz/*.d)
