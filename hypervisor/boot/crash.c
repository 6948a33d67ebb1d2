/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end: says what was the matter, where and for whom, stops the other CPUs
 * and restarts the machine. Stays in memory, like run.c. Works in any context:
 * no lock is taken once the console's is broken, no memory allocated, and a
 * fault while reporting ends in a halt.
 */
#include "core/domain.h"
#include "cpu/instructions.h"
#include "cpu/percpu.h"
#include "cpu/symbols.h"
#include "cpu/traps.h"
#include "cpu/work.h"
#include "lib/option.h"
#include "lib/printf.h"
#include "platform/console.h"
#include "platform/machine.h"

#define TRACE_LINES     24
#define RESTART_SECONDS 5

bool crash_console_ready;
static u32 crashing_cpu; /* + 1, 0: none */
static bool no_reboot __ro_after_init;
CMDLINE_BOOL("noreboot", no_reboot);

/* The protector's guard. Its value is fixed by link, made less so early (boot/init.c). */
u64 __stack_chk_guard = 0x8a6f2d00c1e94b37;
__noreturn void __stack_chk_fail(void)
{
    panic("a stack frame was overrun");
}

#define say(...) printk(LOG_ERROR, __VA_ARGS__)

static void say_symbol(const char *what, u64 address)
{
    u32 offset;
    const char *name = symbol_find(address, &offset);

    say("%s %016lx %s+%#x\n", what, address, name ? name : "?", name ? offset : 0);
}

static void say_registers(const struct cpu_user_regs *r)
{
    say_symbol("rip", r->rip);
    say("cs %04x rflags %016lx rsp %04x:%016lx error %x\n", r->cs, r->rflags, r->ss, r->rsp,
        r->error_code);
    say("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    say("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    say("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    say("r13 %016lx r14 %016lx r15 %016lx\n", r->r13, r->r14, r->r15);
}

/*
 * Every word on the stack that points into our text. Some are left-overs of
 * earlier calls; code without frame pointers gives no better.
 */
static void say_trace(u64 sp, const struct cpu_local *cpu)
{
    u64 base = (u64)cpu & ~(STACK_SIZE - 1UL);
    u64 top = (u64)cpu, guard = base + 4 * PAGE_SIZE;

    if (sp >= guard && sp < guard + PAGE_SIZE && base >= STACK_AREA_START && base < IO_AREA_START)
        sp = guard + PAGE_SIZE; /* it overflowed */
    else if (sp < guard && sp >= base)
        top = ROUND_UP(sp + 1, PAGE_SIZE); /* an IST stack: one page */
    if (sp < base || sp >= top)
        return;
    for (u32 lines = 0; sp + 8 <= top && lines < TRACE_LINES; sp += 8) {
        u64 word = *(const u64 *)ROUND_DOWN(sp, 8UL);

        if (!symbol_is_text(word))
            continue;
        say_symbol("  ", word);
        lines++;
    }
}

/* For ever, or until the time is over. The clock may not run: count the TSC, else port reads. */
static void wait_ms(u32 ms)
{
    u64 ticks = (u64)clock_tsc_khz() * ms, start = rdtsc();

    if (ticks)
        while (rdtsc() - start < ticks)
            cpu_pause();
    else
        for (u32 i = 0; i < ms * 1000; i++)
            (void)in8(0x80); /* takes about a microsecond */
}

static void stop_others(void)
{
    WRITE_ONCE(crash_stops_cpus, true);
    memory_barrier();
    if (cpus_online_count > 1)
        apic_send_nmi_others();
}

static DEFINE_PER_CPU(const struct cpu_user_regs *, stopped);

void crash_stopped(const struct cpu_user_regs *regs)
{
    WRITE_ONCE(this_cpu(stopped), regs);
    halt_forever();
}

static void say_others(void)
{
    for_each_online_cpu (cpu) {
        const struct cpu_user_regs *regs;

        if (cpu == this_cpu_id())
            continue;
        for (u32 i = 0; !(regs = READ_ONCE(per_cpu(stopped, cpu))) && i < 100; i++)
            wait_ms(1);
        say("CPU %u %s\n", cpu, regs ? "was here:" : "does not answer");
        if (!regs)
            continue;
        say_registers(regs);
        say_trace(regs->rsp, cpu_local_of(cpu));
    }
}

void crash(const struct cpu_user_regs *regs, const char *why)
{
    u32 me = this_cpu_id() + 1, first = atomic_cmpxchg(&crashing_cpu, 0, me);

    interrupts_off();
    if (first && first != me)
        halt_forever();
    stop_others();
    console_force_unlock();
    if (first) {
        say("Tenon crash while reporting: %s at %016lx\n", why, regs ? regs->rip : 0);
        halt_forever();
    }
    if (!crash_console_ready)
        console_init(); /* so early that it is still there */
    say("\n");
    say("Tenon crash on CPU %u: %s\n", this_cpu_id(), why);
    if (regs)
        say_registers(regs);
    say("cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx\n", read_cr0(), read_cr2(), read_cr3(),
        read_cr4());
    say("Stack:\n");
    say_trace(regs ? regs->rsp : (u64)__builtin_frame_address(0), cpu_local());
    crash_describe_vcpu();
    reject_dump();
    say_others();
    if (no_reboot) {
        say("Halted (noreboot)\n");
        machine_halt();
    }
    say("Restarting in %u seconds\n", RESTART_SECONDS);
    wait_ms(RESTART_SECONDS * 1000);
    machine_restart();
}

void panic(const char *format, ...)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "Panic: ");
    va_list args;

    va_start(args, format);
    vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
    va_end(args);
    crash(NULL, text);
}

void assertion_failed(const char *what, const char *file, int line)
{
    panic("%s at %s:%d", what, file, line);
}
