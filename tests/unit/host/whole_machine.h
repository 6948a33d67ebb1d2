/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What whole_world.h stands on: memory, a processor, interrupts, firmware and a console that do
 * nothing but answer, and check what they are told. All guests' memory for arguments is one window.
 */
#pragma once

#include <setjmp.h>

#define FAKE_FRAMES 2048
#define cpu_wait    fake_cpu_wait
#include "fake_irqs.h"
#include "fake_memory.h"
#undef cpu_wait

#include "core/cpu_policy.h"
#include "core/guest.h"
#include "core/init.h"
#include "core/physmap.h"
#include "core/pirq.h"
#include "core/pool.h"
#include "core/trace.h"
#include "cpu/desc.h"
#include "cpu/features.h"
#include "cpu/perfc.h"
#include "cpu/ports.h"
#include "cpu/traps.h"
#include "cpu/uaccess.h"
#include "hvm/dev/irq.h"
#include "hvm/hvm.h"
#include "hypercall/control.h"
#include "platform/console.h"
#include "platform/efi.h"
#include "platform/internal.h"
#include "platform/irq.h"
#include "platform/machine.h"
#include "pv/calls.h"
#include "pv/mm.h"
#include "pv/traps.h"

#include <xen/memory.h>

/* Where all guests' arguments are, and nothing else. */
#define WINDOW_VA    0x100000UL
#define WINDOW_BYTES 0x10000UL
static u8 world_window[WINDOW_BYTES] __aligned_to(4096);

static jmp_buf world_out, world_end;
static ns_t world_now = 1000, world_armed = NS_NEVER;
static struct vcpu *world_runs; /* what the CPU runs, whoever makes hypercalls just now */
static u64 world_seed = 1, world_fault;
static void (*world_keys[128])(unsigned char key);

/* For devices and the like: anything, but always the same. */
static u64 world_any(u64 about)
{
    return (about + world_seed) * 0x9e3779b97f4a7c15UL >> 16;
}

/* ---- memory ---- */

static bool in_window(u64 at, size_t length)
{
    return at >= WINDOW_VA && length <= WINDOW_BYTES && at - WINDOW_VA <= WINDOW_BYTES - length;
}
static void *window_at(u64 at)
{
    ASSERT(in_window(at, 0));
    return world_window + (at - WINDOW_VA);
}
size_t copy_from_guest_va(void *to, guest_va_t from, size_t length)
{
    if (!in_window(from.raw, length))
        return length;
    memcpy(to, window_at(from.raw), length);
    return 0;
}
size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length)
{
    if (!in_window(to.raw, length))
        return length;
    memcpy(window_at(to.raw), from, length);
    return 0;
}
size_t clear_guest_va(guest_va_t to, size_t length)
{
    if (!in_window(to.raw, length))
        return length;
    memset(window_at(to.raw), 0, length);
    return 0;
}
static int world_copy(u64 address, void *buffer, u64 length, bool write)
{
    if (write ? copy_to_guest_va(guest_va(address), buffer, length)
              : copy_from_guest_va(buffer, guest_va(address), length))
        return -EFAULT;
    return 0;
}
u64 *hv_l4;
void hv_slots_fill(u64 *l4, mfn_t l3)
{
    for (u32 i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = pte_make(l3, 1);
}
void hv_slots_clear(u64 *l4)
{
    for (u32 i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = 0;
}
struct memory_region memory_regions[MAX_REGIONS] = {{0, 0x9f000, 1}, {0x100000, 0x700000, 1}};
u32 memory_region_count = 2;
bool memory_is_io(paddr_t start, u64 size)
{
    return start.raw >= FAKE_FRAMES << PAGE_SHIFT || size > (u64)FAKE_FRAMES << PAGE_SHIFT;
}
u64 memory_total(void)
{
    return FAKE_FRAMES;
}
u64 m2p_entries(void)
{
    return FAKE_FRAMES;
}
mfn_t m2p_extent(u64 n)
{
    return n ? MFN_NONE : mfn(15);
}
void m2p_share(struct frame_owner *owner)
{
    (void)owner;
}

/* ---- processor ---- */

u32 cpu_address_bits = 48, cpu_family = 6, cpu_model = 3, cpu_stepping = 1;
char cpu_vendor_name[13] = "TenonTenonTe";

ns_t clock_now(void)
{
    return world_now;
}
void clock_arm(ns_t when)
{
    world_armed = when;
}
const struct clock_scale *clock_scale(void)
{
    static const struct clock_scale scale = {.base_tsc = 7, .base_ns = 9, .mul = 1U << 31};

    return &scale;
}
u32 clock_tsc_khz(void)
{
    return 5000000; /* a slice is long */
}
u64 clock_tsc_warp(void)
{
    return 3;
}
u64 clock_ns_to_tsc(ns_t ns)
{
    return (u64)ns * 2;
}
ns_t clock_tsc_to_ns(u64 tsc)
{
    return (ns_t)(tsc / 2);
}
void clock_wall_get(u64 *seconds, u32 *nanoseconds)
{
    *seconds = 0x12345678;
    *nanoseconds = 5;
}
void clock_wall_set(u64 seconds, u32 nanoseconds, ns_t at)
{
    (void)seconds, (void)at;
    ASSERT(nanoseconds < NS_SECOND);
}
struct cpu_local *cpu_local_of(u32 cpu)
{
    ASSERT(cpu == 0);
    return &host_cpu_local;
}
void cpu_call(const cpumask_t *mask, void (*fn)(void *), void *arg)
{
    if (mask->bits[0] & 1)
        fn(arg);
}
void cpu_do_work(void)
{
    longjmp(world_out, 1); /* the idle loop has been entered */
}
void cpu_idle_wait(void)
{
}
void cpu_idle_step(void)
{
}
void cpu_forget_branches(void)
{
}
void cpu_write_back_caches(void)
{
}
void cpu_load_idle_gdt(void)
{
}
void cpu_load_gdt(u64 base, u16 limit)
{
    (void)base, (void)limit;
}
void cpu_load_ldt(u64 base, u32 entries)
{
    ASSERT(entries <= 8192);
    (void)base;
}
void cpu_load_space(u64 cr3, cpumask_t *users)
{
    (void)cr3;
    if (users)
        users->bits[0] |= 1;
}
void cpu_load_cr3(u64 cr3)
{
    ASSERT(cr3 >> PAGE_SHIFT < FAKE_FRAMES);
    cpu_flush_local(FLUSH_TLB, 0);
}
bool shield_on, pv_isolated[2];
DEFINE_PER_CPU(struct desc_page *, desc);
char __text_start[1], __text_end[1], __ro_after_init_start[1], __ro_after_init_end[1];
int map_share(u64 *l4, u64 va, u64 n, u64 flags)
{
    (void)l4, (void)va, (void)n, (void)flags;
    return -ENOMEM;
}
mfn_t cpu_gdt_frame(u32 cpu)
{
    return mfn(14 + cpu);
}
u64 cpu_debug_status(void)
{
    return 1;
}
u64 cpu_fault_address(void)
{
    return world_fault;
}
static struct guest_segments world_segments;
static u64 canonical(u64 base)
{
    ASSERT(address_canonical(base)); /* the processor refuses others */
    return base;
}
u64 cpu_fs_base(void)
{
    return world_segments.fs_base;
}
u64 cpu_gs_base(void)
{
    return world_segments.gs_base;
}
u64 cpu_gs_base_other(void)
{
    return world_segments.gs_base_other;
}
void cpu_set_fs_base(u64 base)
{
    world_segments.fs_base = canonical(base);
}
void cpu_set_gs_base(u64 base)
{
    world_segments.gs_base = canonical(base);
}
void cpu_set_gs_base_other(u64 base)
{
    world_segments.gs_base_other = canonical(base);
}
void cpu_load_gs_other_selector(u16 selector)
{
    (void)selector;
}
void cpu_save_segments(struct guest_segments *s)
{
    *s = world_segments;
}
void cpu_load_segments(const struct guest_segments *s)
{
    canonical(s->fs_base);
    canonical(s->gs_base);
    canonical(s->gs_base_other);
    world_segments = *s;
}
void cpu_swap_gs(void)
{
    u64 base = world_segments.gs_base;

    world_segments.gs_base = world_segments.gs_base_other;
    world_segments.gs_base_other = base;
}
void cpu_load_debug(const u64 dr[8])
{
    for (u32 i = 0; i < 4; i++)
        ASSERT(dr[i] < HV_START || dr[i] >= HV_END);
    ASSERT(!(dr[7] >> 32));
}
void cpu_set_debug(u32 n, u64 value)
{
    ASSERT(n < 8 && (n > 3 || value < HV_START || value >= HV_END) && (n < 6 || !(value >> 32)));
}
void cpu_load_tsc_aux(u32 value)
{
    (void)value;
}
void cpu_set_task_switched(bool on)
{
    (void)on;
}
u32 port_in(u16 port, u32 bytes)
{
    return bytes == 4 ? (u32)world_any(port) : (u32)world_any(port) & ((1U << 8 * bytes) - 1);
}
void port_out(u16 port, u32 bytes, u32 value)
{
    (void)port, (void)value;
    ASSERT(bytes == 1 || bytes == 2 || bytes == 4);
}

struct fpu_state {
    u64 xcr0;
    u8 image[512];
};
struct fpu_state *fpu_state_new(void)
{
    struct fpu_state *s = heap_zalloc(sizeof(*s));

    if (s)
        s->xcr0 = 1;
    return s;
}
void fpu_state_free(struct fpu_state *s)
{
    heap_free(s);
}
void fpu_save(struct fpu_state *s)
{
    ASSERT(s);
}
void fpu_restore(struct fpu_state *s)
{
    ASSERT(s);
}
void fpu_vector(u32 number, u64 value[2], bool set)
{
    ASSERT(number < 16);
    if (!set)
        value[0] = value[1] = number;
}
u64 fpu_xcr0(const struct fpu_state *s)
{
    return s->xcr0;
}
u64 fpu_xcr0_supported(void)
{
    return 7;
}
int fpu_set_xcr0(struct fpu_state *s, u64 value)
{
    if (!(value & 1) || value & ~7UL)
        return -EINVAL;
    s->xcr0 = value;
    return 0;
}
void fpu_get_legacy(const struct fpu_state *s, void *image)
{
    memcpy(image, s->image, 512);
}
void fpu_set_legacy(struct fpu_state *s, const void *image)
{
    memcpy(s->image, image, 512);
}
u32 fpu_xsave_size(u64 xcr0)
{
    return xcr0 & 4 ? 832 : 576;
}
u32 fpu_get_image(const struct fpu_state *s, void *image)
{
    if (image)
        memcpy(memset(image, 0, 576), s->image, 512);
    return 576;
}
int fpu_set_image(struct fpu_state *s, u64 xcr0, const void *image, u32 size)
{
    if (size < 576 || fpu_set_xcr0(s, xcr0))
        return -EINVAL;
    memcpy(s->image, image, 512);
    return 0;
}

/* ---- the machine around it ---- */

struct acpi_facts acpi;
u32 machine_cpu_count = 1, machine_apic_id[MAX_CPUS], machine_acpi_id[MAX_CPUS];
void irq_eoi(u32 irq)
{
    ASSERT(irq < ARRAY_SIZE(world_irqs));
}
bool irq_needs_eoi(u32 irq)
{
    return irq & 1;
}
int irq_setup_gsi(u32 gsi, bool level, bool active_low)
{
    (void)level, (void)active_low;
    return gsi < gsi_count ? 0 : -EINVAL;
}
int irq_gsi_vector(u32 gsi)
{
    return gsi < gsi_count ? (int)gsi + 0x30 : -EINVAL;
}
int msi_restore(u32 sbdf)
{
    return sbdf & 1 ? -ENODEV : 0;
}
int msi_prepare(u32 sbdf, bool prepare)
{
    (void)prepare;
    return sbdf & 1 ? -ENODEV : 0;
}
bool msi_owns_page(mfn_t m)
{
    return m.raw == FAKE_FRAMES + 1;
}
int ioapic_guest_read(paddr_t base, u32 reg, u32 *value)
{
    *value = reg;
    return base.raw == 0xfec00000 && reg < 0x40 ? 0 : -EINVAL;
}
int ioapic_guest_write(paddr_t base, u32 reg, u32 value)
{
    return ioapic_guest_read(base, reg, &value);
}
u32 pci_read(u32 sbdf, u32 reg, u32 bytes)
{
    ASSERT(reg + bytes <= 4096);
    return (u32)world_any(sbdf + reg);
}
void pci_write(u32 sbdf, u32 reg, u32 bytes, u32 value)
{
    (void)sbdf, (void)value;
    ASSERT(reg + bytes <= 4096);
}
int pci_device_add(u32 sbdf, bool virtual_function)
{
    (void)sbdf, (void)virtual_function;
    return 0;
}
int pci_device_remove(u32 sbdf)
{
    return sbdf & 1 ? -ENODEV : 0;
}
bool pci_device_known(u32 sbdf)
{
    return sbdf & 1;
}
int pci_mmcfg_reserved(u64 base, u16 segment, u8 first_bus, u8 last_bus)
{
    (void)base, (void)segment;
    return first_bus <= last_bus ? 0 : -ENODEV;
}
bool machine_port_is_ours(u16 port)
{
    return port - 0x20U < 2 || port - 0x3f8U < 8;
}
int machine_acpi_sleep(u32 state, u32 a, u32 b)
{
    (void)a, (void)b;
    return state == 5 ? -ENODEV : -ENOSYS;
}
void machine_restart(void)
{
    longjmp(world_end, 1);
}
void machine_power_off(void)
{
    longjmp(world_end, 1);
}

static const u16 vendor[] = {'T', 'e', 'n', 'o', 'n', 0};
static const struct efi_region efi_regions[] = {
    {.type = EFI_RUNTIME_DATA, .start = 0x700000, .pages = 16}};
struct efi_facts efi = {.present = true,
                        .revision = EFI_REVISION_2,
                        .vendor = vendor,
                        .runtime_revision = EFI_REVISION_2,
                        .regions = efi_regions,
                        .region_count = 1};
bool efi_runtime_usable(void)
{
    return true;
}
bool efi_call(struct fpu_state *fpu, enum efi_service service, const u64 args[5], u64 *status)
{
    (void)fpu, (void)args;
    *status = world_any(service) & 1 ? 0 : 0x8000000000000005UL;
    return service < EFI_SERVICES;
}

/* ---- console and counters ---- */

void printk(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
void printk_guest(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
void console_key_register(char key, void (*fn)(unsigned char key), const char *help)
{
    ASSERT(*help);
    world_keys[key & 127] = fn;
}
void console_key(unsigned char key)
{
    if (world_keys[key & 127])
        world_keys[key & 127](key);
}
size_t console_read(char *bytes, size_t length)
{
    memset(bytes, 'x', length);
    return length;
}
void console_write_dom0(const char *bytes, size_t length)
{
    ASSERT(!length || bytes[length - 1] != bytes[0] + 1000);
}
size_t console_ring_read(char *bytes, size_t length, u32 *index, bool incremental)
{
    (void)incremental;
    memset(bytes, 'y', length);
    length = *index > 300 ? 0 : MIN(length, 300UL);
    *index += (u32)length;
    return length;
}
void console_ring_clear_to(u32 index)
{
    (void)index;
}
const struct perfc_info perfc_info[] = {{"one", 1, 0}, {"two", 0, 1}};
const u32 perfc_count = 2;
u32 perfc_value(u32 cpu, u32 index)
{
    return cpu + index;
}
u32 perfc_sum(u32 index)
{
    return index;
}
void perfc_reset(void)
{
}
const char *symbol_find(u64 address, u32 *offset)
{
    *offset = (u32)address & 15;
    return address & 1 ? "function" : NULL;
}
size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);

    if (size) {
        memcpy(to, from, MIN(length, size - 1));
        to[MIN(length, size - 1)] = '\0';
    }
    return length;
}

/* ---- a processor for translated guests, which has no paging ---- */

static int machine_vcpu_init(struct hvm_vcpu *v)
{
    v->machine_address = 0;
    return 0;
}
static void machine_vcpu(struct hvm_vcpu *v)
{
    (void)v;
}
static void machine_resume(void)
{
    longjmp(world_out, 1);
}
static void machine_get(struct hvm_vcpu *v, struct hvm_hw_cpu *s)
{
    (void)v;
    memset(s, 0, sizeof(*s));
}
static int machine_set(struct hvm_vcpu *v, const struct hvm_hw_cpu *s)
{
    (void)v;
    return s->cr0 & 0x80000000 && !(s->cr0 & 1) ? -EINVAL : 0;
}
static void machine_paging(struct hvm_vcpu *v, struct hvm_paging *p)
{
    (void)v;
    *p = (struct hvm_paging){.cr0 = 1, .code32 = true};
}
static struct hvm_segment machine_segment(struct hvm_vcpu *v, u32 segment)
{
    (void)v, (void)segment;
    return (struct hvm_segment){0, ~0U, 0xc93};
}
static void machine_cr2(struct hvm_vcpu *v, u64 address)
{
    (void)v, (void)address;
}
static bool machine_get_msr(struct hvm_vcpu *v, u32 msr, u64 *value)
{
    (void)v, (void)msr, (void)value;
    return false;
}
static bool machine_set_msr(struct hvm_vcpu *v, u32 msr, u64 value, bool *refused)
{
    (void)v, (void)msr, (void)value, (void)refused;
    return false;
}
static void machine_inject(struct hvm_vcpu *v, const struct hvm_event *e)
{
    (void)v, (void)e;
}
static bool machine_yes(struct hvm_vcpu *v)
{
    (void)v;
    return true;
}
static void machine_done(struct hvm_vcpu *v, u32 length)
{
    (void)v;
    ASSERT(length <= 15);
}
static const struct hvm_machine machine = {
    "test",          &p2m_format_npt, machine_vcpu_init, machine_vcpu,    machine_vcpu,
    machine_vcpu,    machine_resume,  machine_get,       machine_set,     machine_paging,
    machine_segment, machine_cr2,     machine_get_msr,   machine_set_msr, machine_vcpu,
    machine_inject,  machine_yes,     machine_yes,       machine_done,
};
const struct hvm_machine *svm_init(void);
const struct hvm_machine *svm_init(void)
{
    return &machine;
}
void hvm_crash(struct hvm_vcpu *v, const char *why);
void hvm_crash(struct hvm_vcpu *v, const char *why)
{
    domain_crash(v->v.domain, why);
}
void hvm_exit_triple_fault(struct hvm_vcpu *v);
void hvm_exit_triple_fault(struct hvm_vcpu *v)
{
    domain_shutdown(v->v.domain, 1);
}
void hvm_set_width(void)
{
}
void pv_resume(void)
{
    longjmp(world_out, 1);
}
