# SPDX-License-Identifier: GPL-2.0-only
# Micro guests: guests/<name>/main.c with the runtime becomes build/guests/<name>.

GUESTS := $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c))
GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pie -mcmodel=kernel \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-jump-tables -Ihypervisor -Iguests/runtime
GUEST_RUNTIME := guests/runtime/start.S guests/runtime/runtime.c hypervisor/lib/printf.c \
	hypervisor/lib/string.c

.PHONY: guests
guests: $(GUESTS:%=$(BUILD)/guests/%)

$(BUILD)/guests/%: guests/%/main.c $(GUEST_RUNTIME) guests/runtime/runtime.h guests/runtime/guest.lds
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -nostdlib -static -no-pie -Wl,-T,guests/runtime/guest.lds \
		-Wl,--build-id=none -Wl,--no-warn-rwx-segments -z noexecstack $< $(GUEST_RUNTIME) -o $@
