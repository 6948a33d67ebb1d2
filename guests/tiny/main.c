/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least that lives as an unprivileged guest of the toolstack: it sleeps by a single-shot timer,
 * counts its wake-ups, says so now and then on its console, and heeds control/shutdown in xenstore.
 * A hundred of them are what the load tests put beside a real guest. Words on its command line:
 * "interval=MS" between wake-ups (250), "say=SECONDS" between its lines (1), "life=SECONDS" until
 * it powers off (for ever). As dom0, which is how the micro tests boot it, it sleeps a few times
 * and reports.
 */
#include "runtime.h"
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#define MS      1000000UL
#define CONTROL "control/shutdown"

static struct xencons_interface *console;
static struct xenstore_domain_interface *store;
static evtchn_port_t timer_port;
static volatile u32 ticks;

static void upcall(struct trap_frame *frame)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];

    if ((u8)frame->vector != 200) {
        say("trap %lu at %lx\n", frame->vector, frame->rip);
        checks_failed++;
        finish();
    }
    v->evtchn_upcall_pending = 0;
    __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    /* The few ports there are have bits in the first word. What the others want is looked at after
     * every wake-up. */
    u64 bits = __atomic_exchange_n(&shared_info->evtchn_pending[0], 0, __ATOMIC_SEQ_CST);
    ticks += bits >> timer_port & 1;
}

static void notify(u32 port)
{
    struct evtchn_send send = {.port = port};
    call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

/* To the console's ring; what does not fit is lost, as nobody reads it then. */
static void to_console(const char *text, u32 length)
{
    u32 at = console->out_prod;

    for (u32 i = 0; i < length && at - console->out_cons < sizeof(console->out); i++)
        console->out[at++ % sizeof(console->out)] = text[i];
    barrier();
    console->out_prod = at;
    notify(start_info->console.domU.evtchn);
}

static void store_put(const void *data, u32 length)
{
    for (u32 i = 0; i < length; i++)
        store->req[(store->req_prod + i) % sizeof(store->req)] = ((const char *)data)[i];
    barrier();
    store->req_prod += length;
}

static void store_ask(u32 type, const char *text, u32 length)
{
    struct xsd_sockmsg head = {.type = type, .len = length};

    store_put(&head, sizeof(head));
    store_put(text, length);
    notify(start_info->store_evtchn);
}

static void store_copy(u32 from, void *to, u32 length)
{
    for (u32 i = 0; i < length; i++)
        ((char *)to)[i] = store->rsp[(store->rsp_cons + from + i) % sizeof(store->rsp)];
}

static void end(u32 reason)
{
    struct sched_shutdown how = {.reason = reason};

    for (;;)
        call2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
}

/* Takes one answer or event off the ring, if it is there as a whole. */
static bool store_answer(void)
{
    struct xsd_sockmsg head;
    char text[64] = "";
    u32 there = store->rsp_prod - store->rsp_cons;

    barrier();
    if (there < sizeof(head))
        return false;
    store_copy(0, &head, sizeof(head));
    if (there < sizeof(head) + head.len)
        return false;
    store_copy(sizeof(head), text, MIN(head.len, (u32)sizeof(text) - 1));
    barrier();
    store->rsp_cons += (u32)sizeof(head) + head.len;
    notify(start_info->store_evtchn);
    if (head.type == XS_WATCH_EVENT)
        store_ask(XS_READ, CONTROL, sizeof(CONTROL));
    if (head.type != XS_READ || !*text)
        return true;
    say("tiny: asked for %s\n", text);
    store_ask(XS_WRITE, CONTROL, sizeof(CONTROL)); /* seen, says the empty string */
    end(strcmp(text, "reboot") ? SHUTDOWN_poweroff : SHUTDOWN_reboot);
    return true;
}

static u64 number_after(const char *word, u64 otherwise)
{
    const char *at = strstr((const char *)start_info->cmd_line, word);
    u64 number = 0;

    if (!at)
        return otherwise;
    for (at += strlen(word); *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (u64)(*at - '0');
    return number;
}

static void *page_of(u64 frame)
{
    for (u64 pfn = 0; pfn < start_info->nr_pages; pfn++)
        if (pfn_to_mfn(pfn) == frame)
            return (void *)(VIRT_BASE + pfn * PAGE_SIZE);
    return NULL;
}

static void timer_start(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};

    trap_hook = upcall;
    CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind), 0);
    timer_port = bind.port;
    CHECK(timer_port < 64);
}

/* Until something happens, at the latest at `when`. */
static void sleep_until(u64 when)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = when};

    events_off();
    if (!call3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer))
        call2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
    events_off();
}

static void as_dom0(void)
{
    for (u32 i = 1; i <= 5; i++) {
        u64 when = system_time() + 10 * MS;
        while (ticks < i)
            sleep_until(when);
        CHECK(system_time() >= when);
    }
    CHECK_EQUAL(ticks, 5);
}

static void as_guest(void)
{
    static const char watch[] = CONTROL "\0s"; /* path and token */
    u64 interval = number_after("interval=", 250) * MS, life = number_after("life=", 0) * 1000 * MS;
    u64 pause = number_after("say=", 1) * 1000 * MS;
    u64 start = system_time(), next = start + interval, say_next = start + pause, before = 0;

    console = page_of(start_info->console.domU.mfn);
    store = page_of(start_info->store_mfn);
    if (!console || !store)
        end(SHUTDOWN_crash);
    say_hook = to_console;
    say("tiny: %lu pages\n", start_info->nr_pages);
    store_ask(XS_WATCH, watch, sizeof(watch));
    for (;;) {
        sleep_until(next);
        while (store_answer())
            ;
        u64 now = system_time();
        if (now < before)
            say("tiny: time went back by %lu\n", before - now);
        before = now;
        if (now >= next)
            next = now + interval;
        if (now >= say_next) {
            say_next = now + pause;
            say("tiny: %lu s, %u wake-ups\n", (now - start) / (1000 * MS), ticks);
        }
        if (life && now - start >= life)
            end(SHUTDOWN_poweroff);
    }
}

void guest_main(void)
{
    timer_start();
    if (start_info->flags & SIF_INITDOMAIN)
        as_dom0();
    else
        as_guest();
}
