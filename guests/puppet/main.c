/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of the toolstack that ends as it is told, by letters typed on its console: p powers off,
 * r reboots, c crashes, w sets a watchdog and never looks after it, u sets one, tells its id, pokes
 * it and ends it; b keeps the processor busy for good, e says "puppet: WORD" with the word after
 * "word=" on its command line. While it waits it holds a known page and known registers, which a
 * dump of its memory must show. As dom0, which is how the micro tests boot it, it only tries to
 * wait.
 */
#include "runtime.h"
#include <xen/io/console.h>

#define SECOND 1000000000UL
#define HELD   0x7e110b5e55ed0000UL /* what its registers r12 to r15 hold, and their numbers */

static struct xencons_interface *console;
/* A page whose words say where they are. */
static u64 held_page[512] __aligned_to(4096);

/* The upcall is never used: ports are polled. */
static s64 wait(evtchn_port_t port, u64 until)
{
    struct sched_poll poll = {.nr_ports = 1, .timeout = until};
    register u64 r12 __asm__("r12") = HELD + 12, r13 __asm__("r13") = HELD + 13;
    register u64 r14 __asm__("r14") = HELD + 14, r15 __asm__("r15") = HELD + 15;
    s64 result;

    set_xen_guest_handle(poll.ports, &port);
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(__HYPERVISOR_sched_op), "D"(SCHEDOP_poll), "S"(&poll), "r"(r12),
                       "r"(r13), "r"(r14), "r"(r15)
                     : "rcx", "r11", "memory");
    return result;
}

static void notify(void)
{
    struct evtchn_send send = {.port = start_info->console.domU.evtchn};
    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

static void to_console(const char *text, u32 length)
{
    u32 at = console->out_prod;

    for (u32 i = 0; i < length; i++) {
        while (at - *(volatile u32 *)&console->out_cons >= sizeof(console->out))
            call2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        console->out[at++ % sizeof(console->out)] = text[i];
        barrier();
        console->out_prod = at;
    }
    notify();
}

static char from_console(void)
{
    u32 at = console->in_cons;
    char letter;

    if (at == *(volatile u32 *)&console->in_prod)
        return 0;
    barrier();
    letter = console->in[at % sizeof(console->in)];
    barrier();
    console->in_cons = at + 1;
    notify();
    return letter;
}

static s64 watchdog(u32 id, u32 seconds)
{
    struct sched_watchdog op = {.id = id, .timeout = seconds};
    return call2(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op);
}

static void end(u32 reason)
{
    struct sched_shutdown how = {.reason = reason};

    say("puppet: ends with %u\n", reason);
    for (;;)
        call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
}

static void obey(char letter)
{
    const char *word;
    s64 id;

    switch (letter) {
    case 'p':
        end(SHUTDOWN_poweroff);
        break;
    case 'r':
        end(SHUTDOWN_reboot);
        break;
    case 'c':
        end(SHUTDOWN_crash);
        break;
    case 'w':
        say("puppet: watchdog %ld\n", watchdog(0, 1));
        break;
    case 'u':
        /* Far from running out at each poke, also where processors stand still now and then. */
        id = watchdog(0, 4);
        for (u32 i = 0; id > 0 && i < 6; i++) {
            wait(start_info->console.domU.evtchn, system_time() + SECOND);
            CHECK_EQUAL(watchdog((u32)id, 4), 0);
        }
        say("puppet: poked %ld, then %ld\n", id, id > 0 ? watchdog((u32)id, 0) : id);
        break;
    case 'b':
        say("puppet: is busy\n");
        for (;;)
            __asm__ volatile("pause");
    case 'e':
        word = strstr((const char *)start_info->cmd_line, "word=");
        say("puppet: %s\n", word ? word + 5 : "has no word");
        break;
    }
}

/* Where its list of frames is, for the tools to find its memory by. */
static void show_frames(void)
{
    static u64 lists[512] __aligned_to(4096), list_of_lists[512] __aligned_to(4096);

    for (u64 i = 0; i * 512 < start_info->nr_pages; i++)
        lists[i] = pfn_to_mfn(virt_to_pfn((u64 *)start_info->mfn_list + i * 512));
    list_of_lists[0] = pfn_to_mfn(virt_to_pfn(lists));
    shared_info->arch.pfn_to_mfn_frame_list_list = pfn_to_mfn(virt_to_pfn(list_of_lists));
    shared_info->arch.max_pfn = start_info->nr_pages;
}

static void as_guest(void)
{
    for (u64 pfn = 0; pfn < start_info->nr_pages; pfn++)
        if (pfn_to_mfn(pfn) == start_info->console.domU.mfn)
            console = (void *)(VIRT_BASE + pfn * PAGE_SIZE);
    say_hook = to_console;
    show_frames();
    for (u64 i = 0; i < ARRAY_SIZE(held_page); i++)
        held_page[i] = HELD + i * 0x10001;
    say("puppet: holds page %lu, %u frames\n", virt_to_pfn(held_page), (u32)start_info->nr_pages);
    say("puppet: ready\n");
    for (;;) {
        evtchn_port_t port = start_info->console.domU.evtchn;
        char letter;

        __atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1UL << port % 64),
                           __ATOMIC_SEQ_CST);
        while ((letter = from_console()) != 0)
            obey(letter);
        wait(port, 0);
    }
}

void guest_main(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    u64 start = system_time();

    events_off();
    if (!(start_info->flags & SIF_INITDOMAIN))
        as_guest();
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0);
    CHECK_EQUAL(wait(alloc.port, start + SECOND / 20), 0);
    CHECK(system_time() - start >= SECOND / 20);
}
