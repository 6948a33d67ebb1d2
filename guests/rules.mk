# SPDX-License-Identifier: GPL-2.0-only
# Micro guests: the C files of guests/<name>/ with the runtime become build/guests/<name>.
# `make micro` boots each of them on the hypervisor.

GUESTS := $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c))
GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pie -mcmodel=kernel \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-jump-tables -Ihypervisor -Iguests/runtime
GUEST_RUNTIME := guests/runtime/start.S guests/runtime/runtime.c guests/runtime/build.c \
	guests/runtime/translated.c guests/runtime/random.c \
	hypervisor/lib/printf.c hypervisor/lib/string.c

.PHONY: guests
guests: $(GUESTS:%=$(BUILD)/guests/%)

define guest_rules
$(BUILD)/guests/$(1): $(wildcard guests/$(1)/*.c guests/$(1)/*.S) $(GUEST_RUNTIME) \
		$(wildcard guests/runtime/*.h guests/$(1)/*.h) guests/runtime/guest.lds guests/rules.mk
	@mkdir -p $$(@D)
	@$(CC) $(GUEST_CFLAGS) -nostdlib -static -no-pie -Wl,-T,guests/runtime/guest.lds \
		-Wl,--build-id=none -Wl,--no-warn-rwx-segments -z noexecstack \
		$(wildcard guests/$(1)/*.c guests/$(1)/*.S) $(GUEST_RUNTIME) -o $$@
endef
$(foreach guest,$(GUESTS),$(eval $(call guest_rules,$(guest))))

.PHONY: micro
micro: all guests
	@$(PYTHON) -m pytest -q -n 2 tests/micro
