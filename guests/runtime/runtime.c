/* SPDX-License-Identifier: GPL-2.0-only */
/* The runtime behind runtime.h. One vCPU unless a test brings up more. */
#include "runtime.h"

struct start_info *start_info;
struct shared_info *shared_info;
volatile u64 trap_count[256], trap_last_error[256], trap_last_rip[256];
volatile u64 fault_resume;
void (*trap_hook)(struct trap_frame *frame);

void (*say_hook)(const char *text, u32 length);
u32 checks_passed, checks_failed;
static u8 __aligned_to(4096) shared_page[4096];
static u8 __aligned_to(4096) pool[256][4096];
static u32 pool_used;

void say(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    n = MIN(n, (int)sizeof(line) - 1);
    if (say_hook)
        say_hook(line, (u32)n);
    else
        call3(__HYPERVISOR_console_io, CONSOLEIO_write, n, line);
}

bool has_word(const char *word)
{
    const char *at = (const char *)start_info->cmd_line;
    size_t length = strlen(word);

    while ((at = strstr(at, word)) != NULL) {
        if ((at == (const char *)start_info->cmd_line || at[-1] == ' ') &&
            (at[length] == ' ' || !at[length]))
            return true;
        at++;
    }
    return false;
}

u64 word_value(const char *name, u64 otherwise)
{
    const char *at = strstr((const char *)start_info->cmd_line, name);
    return at ? parse_u64(at + strlen(name), NULL) : otherwise;
}

void check(bool ok, const char *file, int line, const char *format, ...)
{
    char text[200];
    va_list args;

    if (ok) {
        checks_passed++;
        return;
    }
    checks_failed++;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say("FAILED %s:%d: %s\n", file, line, text);
}

__noreturn void finish(void)
{
    struct sched_shutdown how = {.reason = SHUTDOWN_poweroff};

    say("MICRO %s: %u passed, %u failed\n", (const char *)start_info->cmd_line, checks_passed,
        checks_failed);
    for (;;)
        call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
}

/* The linker provides what gcc and the printf code need. */
__noreturn void panic(const char *format, ...)
{
    say("PANIC %s\n", format);
    checks_failed++;
    finish();
}
__noreturn void assertion_failed(const char *what, const char *file, int line)
{
    say("ASSERT %s %s:%d\n", what, file, line);
    checks_failed++;
    finish();
}

u64 pfn_to_mfn(u64 pfn)
{
    return ((u64 *)start_info->mfn_list)[pfn];
}

void *page_new(void)
{
    ASSERT(pool_used < ARRAY_SIZE(pool));
    memset(pool[pool_used], 0, PAGE_SIZE);
    return pool[pool_used++];
}

/* The boot tables are mapped one behind the other in the boot region: find them by machine frame.
 */
static u64 *table_at(u64 entry)
{
    u64 frame = (entry & 0x000ffffffffff000UL) >> PAGE_SHIFT;
    for (u64 i = 0; i < start_info->nr_pt_frames; i++) {
        u64 *t = (u64 *)(start_info->pt_base + i * PAGE_SIZE);
        if (pfn_to_mfn(virt_to_pfn(t)) == frame)
            return t;
    }
    panic("page table not found");
}

static u64 *pte_of(const void *p)
{
    u64 va = (u64)p, *table = (u64 *)start_info->pt_base;
    for (u32 shift = 39; shift > 12; shift -= 9)
        table = table_at(table[(va >> shift) & 511]);
    return &table[(va >> 12) & 511];
}

u64 pte_machine_address(const void *p)
{
    return virt_to_machine(pte_of(p));
}

u64 pte_value(const void *p)
{
    return *pte_of(p);
}

int map_page(void *where, u64 pte)
{
    return (int)call3(__HYPERVISOR_update_va_mapping, where, pte, UVMF_INVLPG | UVMF_LOCAL);
}

int entry_update(u64 machine_address, u64 value)
{
    struct mmu_update u = {.ptr = machine_address, .val = value};
    return (int)call4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF);
}

int table_op(u32 command, u64 frame)
{
    struct mmuext_op op = {.cmd = command};
    op.arg1.mfn = frame;
    return (int)call4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

void runtime_trap(struct trap_frame *frame);
void runtime_trap(struct trap_frame *frame)
{
    u32 vector = (u32)frame->vector & 0xff;

    trap_count[vector]++;
    trap_last_error[vector] = frame->error_code;
    trap_last_rip[vector] = frame->rip;
    if (trap_hook) {
        trap_hook(frame);
        return;
    }
    if (vector == 6 || vector == 13 || vector == 14) {
        if (!fault_resume) {
            say("unexpected trap %u at %lx, error %lx, cr2 %lx\n", vector, frame->rip,
                frame->error_code, shared_info->vcpu_info[0].arch.cr2);
            checks_failed++;
            finish();
        }
        frame->rip = fault_resume;
    }
}

extern char trap_0[], trap_1[], trap_3[], trap_6[], trap_13[], trap_14[], trap_128[], trap_200[],
    trap_201[], trap_202[];

void traps_install(void)
{
    struct trap_info table[] = {
        {0, 0, FLAT_KERNEL_CS, (u64)trap_0},     {1, 0, FLAT_KERNEL_CS, (u64)trap_1},
        {3, 3, FLAT_KERNEL_CS, (u64)trap_3},     {6, 0, FLAT_KERNEL_CS, (u64)trap_6},
        {13, 0, FLAT_KERNEL_CS, (u64)trap_13},   {14, 4, FLAT_KERNEL_CS, (u64)trap_14},
        {128, 3, FLAT_KERNEL_CS, (u64)trap_128}, {0, 0, 0, 0},
    };
    CHECK_EQUAL(call1(__HYPERVISOR_set_trap_table, table), 0);
    CHECK_EQUAL(call3(__HYPERVISOR_set_callbacks, trap_200, trap_202, trap_201), 0);
}

void events_off(void)
{
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    barrier();
}

void events_on(void)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];
    v->evtchn_upcall_mask = 0;
    barrier();
    if (v->evtchn_upcall_pending)
        call2(__HYPERVISOR_xen_version, XENVER_version, 0); /* deliver now */
}

u64 system_time_of(u32 vcpu)
{
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[vcpu].time;
    u32 version, low, high;
    u64 now;

    do {
        version = t->version;
        barrier();
        __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
        u64 delta = ((u64)high << 32 | low) - t->tsc_timestamp;
        delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        now = t->system_time + (u64)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        barrier();
    } while (version != t->version || version & 1);
    return now;
}

u64 system_time(void)
{
    return system_time_of(0);
}

void runtime_adopt(struct start_info *si)
{
    start_info = si;
    u64 pte = si->shared_info | 7; /* present, writable, user */
    shared_info = (struct shared_info *)shared_page;
    if (map_page(shared_page, pte))
        panic("cannot map shared_info");
    traps_install();
}

void runtime_start(struct start_info *si);
void runtime_start(struct start_info *si)
{
    runtime_adopt(si);
    guest_main();
    finish();
}
