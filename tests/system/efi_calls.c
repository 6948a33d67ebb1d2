/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run in dom0 by test_grub.py: asks the hypervisor about EFI by raw hypercalls, as dom0's
 * kernel would, and as it never would. One line for each question: name, result (0 or -errno), and
 * what came back. The answers that the test wants are stock Xen's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>

#include <xen/platform.h>

struct privcmd_hypercall {
    uint64_t op, arg[5];
};
#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

static int privcmd;
static struct xen_platform_op *op;
static uint16_t *name;
static char *data;

static long call(const char *what, uint32_t command)
{
    struct privcmd_hypercall h = {__HYPERVISOR_platform_op, {(uintptr_t)op}};

    op->cmd = command;
    op->interface_version = XENPF_INTERFACE_VERSION;
    long result = ioctl(privcmd, PRIVCMD_HYPERCALL, &h) ? -errno : 0;
    printf("efi: %s %ld", what, result);
    return result;
}

static union xenpf_efi_info *info(uint32_t index)
{
    memset(op, 0, sizeof(*op));
    op->u.firmware_info.type = XEN_FW_EFI_INFO;
    op->u.firmware_info.index = index;
    return &op->u.firmware_info.u.efi_info;
}

static struct xenpf_efi_runtime_call *service(uint32_t function)
{
    memset(op, 0, sizeof(*op));
    op->u.efi_runtime_call.function = function;
    op->u.efi_runtime_call.status = 0x5a;
    return &op->u.efi_runtime_call;
}

static void set_name(const char *text)
{
    for (int i = 0; i < 2047; i++)
        name[i] = (uint16_t)(i < (int)strlen(text) ? text[i] : 0);
}

static void ask_firmware(void)
{
    union xenpf_efi_info *i = info(XEN_FW_EFI_VERSION);
    call("version", XENPF_firmware_info);
    printf(" %#x\n", i->version);
    i = info(XEN_FW_EFI_RT_VERSION);
    call("rt-version", XENPF_firmware_info);
    printf(" %#x\n", i->version);
    i = info(XEN_FW_EFI_CONFIG_TABLE);
    call("config", XENPF_firmware_info);
    uint64_t tables = i->cfg.addr;
    printf(" %d\n", i->cfg.nent > 4 && i->cfg.nent < 64 && tables);
    for (uint32_t size = 0; size <= 200; size = size < 5 ? size + 1 : size * 8) {
        i = info(XEN_FW_EFI_VENDOR);
        i->vendor.bufsz = size;
        set_xen_guest_handle(i->vendor.name, name);
        memset(name, 0x55, 512);
        call("vendor", XENPF_firmware_info);
        printf(" size %u, revision %#x, ", size, i->vendor.revision);
        for (int n = 0; n < 8; n++)
            printf("%04x ", name[n]);
        puts("");
    }
    i = info(XEN_FW_EFI_VENDOR);
    i->vendor.bufsz = 100;
    call("vendor-nowhere", XENPF_firmware_info);
    puts("");
    i = info(XEN_FW_EFI_MEM_INFO);
    i->mem.addr = tables;
    i->mem.size = ~0UL - tables;
    call("memory", XENPF_firmware_info);
    printf(" type %u, attributes %#lx, same %d, page %d\n", i->mem.type, (unsigned long)i->mem.attr,
           i->mem.addr == tables, i->mem.size % 4096 == (0 - tables) % 4096);
    i = info(XEN_FW_EFI_MEM_INFO);
    i->mem.addr = 0x700000000000;
    i->mem.size = 4096;
    call("memory-nowhere", XENPF_firmware_info);
    puts("");
    for (uint32_t index = XEN_FW_EFI_PCI_ROM; index < 9; index++) {
        info(index);
        call("index", XENPF_firmware_info);
        printf(" of %u\n", index);
    }
}

static const struct xenpf_efi_guid global = {
    0x8be4df61, 0x93ca, 0x11d2, {0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}};

static void get(const char *what, const char *variable, uint64_t size, void *to, uint32_t misc)
{
    struct xenpf_efi_runtime_call *c = service(XEN_EFI_get_variable);

    set_name(variable);
    c->misc = misc;
    c->u.get_variable.size = size;
    set_xen_guest_handle(c->u.get_variable.name, name);
    set_xen_guest_handle(c->u.get_variable.data, to);
    c->u.get_variable.vendor_guid = global;
    call(what, XENPF_efi_runtime_call);
    printf(" status %lx size %lu attributes %x\n", (unsigned long)c->status,
           (unsigned long)c->u.get_variable.size, c->misc);
}

static void ask_variables(void)
{
    struct xenpf_efi_runtime_call *c;

    get("get", "SecureBoot", 1, data, 0);
    get("get-short", "SecureBoot", 0, NULL, 0);
    get("get-long", "SecureBoot", 4096, data, 0);
    get("get-none", "NoSuchThing", 16, data, 0);
    get("get-nowhere", "SecureBoot", 16, (void *)16, 0);
    get("get-flags", "SecureBoot", 16, data, 1);
    c = service(XEN_EFI_get_variable);
    c->u.get_variable.size = 16;
    set_xen_guest_handle(c->u.get_variable.name, (void *)16);
    set_xen_guest_handle(c->u.get_variable.data, data);
    call("get-noname", XENPF_efi_runtime_call);
    puts("");

    int count = 0;
    struct xenpf_efi_guid guid = {0};
    set_name("");
    for (; count < 1000; count++) {
        c = service(XEN_EFI_get_next_variable_name);
        c->u.get_next_variable_name.size = 4096;
        set_xen_guest_handle(c->u.get_next_variable_name.name, name);
        c->u.get_next_variable_name.vendor_guid = guid;
        struct privcmd_hypercall h = {__HYPERVISOR_platform_op, {(uintptr_t)op}};
        op->cmd = XENPF_efi_runtime_call;
        op->interface_version = XENPF_INTERFACE_VERSION;
        if (ioctl(privcmd, PRIVCMD_HYPERCALL, &h) || c->status)
            break;
        guid = c->u.get_next_variable_name.vendor_guid;
    }
    printf("efi: names 0 many %d status %lx\n", count > 20 && count < 1000,
           (unsigned long)c->status);
    set_name("");
    c = service(XEN_EFI_get_next_variable_name);
    c->u.get_next_variable_name.size = 2;
    set_xen_guest_handle(c->u.get_next_variable_name.name, name);
    call("next-short", XENPF_efi_runtime_call);
    printf(" status %lx more %d\n", (unsigned long)c->status, c->u.get_next_variable_name.size > 2);
    c = service(XEN_EFI_get_next_variable_name);
    c->u.get_next_variable_name.size = 1024;
    set_xen_guest_handle(c->u.get_next_variable_name.name, (void *)16);
    call("next-nowhere", XENPF_efi_runtime_call);
    puts("");
}

static void ask_others(void)
{
    struct xenpf_efi_runtime_call *c = service(XEN_EFI_get_time);
    call("time", XENPF_efi_runtime_call);
    printf(" status %lx plausible %d misc %x\n", (unsigned long)c->status,
           c->u.get_time.time.year >= 2025 && c->u.get_time.time.month <= 12, c->misc);
    c = service(XEN_EFI_get_time);
    c->misc = 1;
    call("time-flags", XENPF_efi_runtime_call);
    puts("");
    struct xenpf_efi_time now = c->u.get_time.time;
    c = service(XEN_EFI_set_time);
    now.year = 1;
    c->u.set_time = now;
    call("set-time-wrong", XENPF_efi_runtime_call);
    printf(" status %lx\n", (unsigned long)c->status);
    c = service(XEN_EFI_get_wakeup_time);
    call("wakeup", XENPF_efi_runtime_call);
    printf(" status %lx misc %x\n", (unsigned long)c->status, c->misc);
    c = service(XEN_EFI_set_wakeup_time);
    call("no-wakeup", XENPF_efi_runtime_call);
    printf(" status %lx\n", (unsigned long)c->status);
    c = service(XEN_EFI_set_wakeup_time);
    c->misc = 4;
    call("wakeup-flags", XENPF_efi_runtime_call);
    puts("");
    c = service(XEN_EFI_get_next_high_monotonic_count);
    call("count", XENPF_efi_runtime_call);
    printf(" status %lx\n", (unsigned long)c->status);
    for (uint32_t misc = 0; misc < 3; misc += 2) {
        c = service(XEN_EFI_query_variable_info);
        c->misc = misc;
        c->u.query_variable_info.attr = 7;
        call("room", XENPF_efi_runtime_call);
        printf(" flags %u status %lx room %d\n", misc, (unsigned long)c->status,
               c->u.query_variable_info.max_store_size >
                   c->u.query_variable_info.remain_store_size);
    }
    for (uint32_t function = 9; function < 14; function++) {
        c = service(function);
        call("function", XENPF_efi_runtime_call);
        printf(" %u status %lx\n", function, (unsigned long)c->status);
    }
}

/*
 * Makes EFI's GetTime an undefined instruction, or a call of itself, as far as firmware can be
 * found from here: by the signature of the table of run-time services (UEFI 2.10, 4.5) in what the
 * machine reserves.
 */
static int break_get_time(bool endless)
{
    FILE *map = fopen("/proc/iomem", "r");
    int memory = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
    char line[200];
    unsigned long start, end;

    while (map && memory >= 0 && fgets(line, sizeof(line), map)) {
        if (sscanf(line, "%lx-%lx : Reserved", &start, &end) != 2 || !strstr(line, "Reserved") ||
            start < 0x100000 || end >= 0xb0000000)
            continue;
        uint64_t *p = mmap(NULL, end + 1 - start, PROT_READ, MAP_SHARED, memory, (long)start);
        for (unsigned long i = 0; p != MAP_FAILED && i < (end + 1 - start) / 8; i++) {
            if (p[i] != 0x56524553544e5552 || (uint32_t)p[i + 1] >> 16 != 2)
                continue;
            uint64_t function = p[i + 3];
            uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory,
                                 (long)(function & ~0xfffUL));
            if (page == MAP_FAILED)
                return 1;
            memcpy(page + (function & 0xfff),
                   endless ? "\xe8\xfb\xff\xff\xff" : "\x0f\x0b\x90\x90\x90", 5);
            return 0;
        }
    }
    return 1;
}

static void ask_broken(void)
{
    service(XEN_EFI_get_time);
    call("broken", XENPF_efi_runtime_call);
    puts("");
    service(XEN_EFI_get_next_high_monotonic_count);
    call("afterwards", XENPF_efi_runtime_call);
    puts("");
    info(XEN_FW_EFI_RT_VERSION);
    call("rt-version", XENPF_firmware_info);
    puts("");
}

int main(int argc, char **argv)
{
    char *pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (privcmd < 0)
        privcmd = open("/proc/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (privcmd < 0 || pages == MAP_FAILED)
        return 1;
    op = (void *)pages;
    name = (void *)(pages + 4096);
    data = pages + 3 * 4096;
    if (argc == 2 && strncmp(argv[1], "broken", 6) == 0) {
        if (break_get_time(argv[1][6])) {
            puts("efi: the table of run-time services was not found");
            return 1;
        }
        ask_broken();
        return 0;
    }
    ask_firmware();
    ask_variables();
    ask_others();
    return 0;
}
