/* SPDX-License-Identifier: GPL-2.0-only */
/* The FIFO event ABI by hand: control block, event array, priorities, and a guest that spoils the
 * links. */
#include "runtime.h"

static struct evtchn_fifo_control_block *control;
static event_word_t *array;
static volatile u32 upcalls;

static int event_op(int op, void *arg)
{
    return (int)call2(__HYPERVISOR_event_channel_op, op, arg);
}

static void upcall(struct trap_frame *frame)
{
    (void)frame;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    upcalls++;
}

static u32 bind(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    CHECK_EQUAL(event_op(EVTCHNOP_bind_ipi, &ipi), 0);
    return ipi.port;
}

static int send(u32 port)
{
    struct evtchn_send s = {.port = port};
    return event_op(EVTCHNOP_send, &s);
}

static int priority(u32 port, u32 value)
{
    struct evtchn_set_priority p = {.port = port, .priority = value};
    return event_op(EVTCHNOP_set_priority, &p);
}

static bool pending(u32 port)
{
    return array[port] >> EVTCHN_FIFO_PENDING & 1;
}

/* Takes the next event off its queue as a guest does; 0 if there is none. */
static u32 take(void)
{
    while (control->ready) {
        u32 queue = (u32)__builtin_ctz(control->ready);
        u32 port = control->head[queue];
        if (!port) {
            __atomic_fetch_and(&control->ready, ~(1u << queue), __ATOMIC_SEQ_CST);
            continue;
        }
        u32 word = __atomic_fetch_and(
            &array[port], ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
        control->head[queue] = word & EVTCHN_FIFO_LINK_MASK;
        if (!(word & EVTCHN_FIFO_LINK_MASK))
            __atomic_fetch_and(&control->ready, ~(1u << queue), __ATOMIC_SEQ_CST);
        if (word >> EVTCHN_FIFO_PENDING & 1 && !(word >> EVTCHN_FIFO_MASKED & 1)) {
            __atomic_fetch_and(&array[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
            return port;
        }
    }
    return 0;
}

static void test_setup(u32 *early)
{
    struct evtchn_init_control init = {.control_gfn = ~0UL >> 12, .offset = 0, .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = 0};

    CHECK(event_op(EVTCHNOP_expand_array, &expand) < 0); /* before init_control */
    CHECK(priority(1, 3) < 0);
    *early = bind();
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), -EINVAL);
    control = page_new();
    array = page_new();
    init.control_gfn = frame_of(control);
    init.offset = PAGE_SIZE - 4;
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), -EINVAL);
    init.offset = 4;
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), -EINVAL);
    init.offset = 0;
    init.vcpu = 99;
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), -ENOENT);
    init.vcpu = 0;
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), 0);
    CHECK_EQUAL(init.link_bits, EVTCHN_FIFO_LINK_BITS);
    CHECK_EQUAL(event_op(EVTCHNOP_init_control, &init), -EINVAL);
    /* A page table cannot be the array. */
    expand.array_gfn = frame_of((void *)start_info->pt_base);
    CHECK(event_op(EVTCHNOP_expand_array, &expand) < 0);
    expand.array_gfn = frame_of(array);
    CHECK_EQUAL(event_op(EVTCHNOP_expand_array, &expand), 0);
}

static void test_delivery(u32 early)
{
    u32 before = upcalls, a = bind(), b = bind();

    events_on();
    CHECK_EQUAL(send(early), 0); /* bound before the ABI changed */
    CHECK_EQUAL(upcalls, before + 1);
    CHECK_EQUAL(take(), early);
    CHECK_EQUAL(take(), 0);

    /* In order; a second send of the same is one event. */
    events_off();
    CHECK_EQUAL(send(b), 0);
    CHECK_EQUAL(send(a), 0);
    CHECK_EQUAL(send(b), 0);
    CHECK_EQUAL(control->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    CHECK_EQUAL(take(), b);
    CHECK_EQUAL(take(), a);
    CHECK_EQUAL(take(), 0);

    /* Priorities: what matters more comes first. */
    CHECK_EQUAL(priority(a, EVTCHN_FIFO_PRIORITY_MAX), 0);
    CHECK_EQUAL(priority(b, EVTCHN_FIFO_PRIORITY_MIN), 0);
    CHECK_EQUAL(priority(a, 16), -EINVAL);
    CHECK_EQUAL(priority(9999, 3), -EINVAL);
    CHECK_EQUAL(send(b), 0);
    CHECK_EQUAL(send(early), 0);
    CHECK_EQUAL(send(a), 0);
    CHECK_EQUAL(control->ready,
                1u | 1u << EVTCHN_FIFO_PRIORITY_DEFAULT | 1u << EVTCHN_FIFO_PRIORITY_MIN);
    CHECK_EQUAL(take(), a);
    CHECK_EQUAL(take(), early);
    CHECK_EQUAL(take(), b);
    CHECK_EQUAL(take(), 0);
    events_on();

    /* Masked: pending but not linked; unmask links it and tells. */
    __atomic_fetch_or(&array[a], 1u << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    before = upcalls;
    CHECK_EQUAL(send(a), 0);
    CHECK(pending(a));
    CHECK_EQUAL(upcalls, before);
    CHECK_EQUAL(take(), 0);
    struct evtchn_unmask unmask = {.port = a};
    CHECK_EQUAL(event_op(EVTCHNOP_unmask, &unmask), 0);
    CHECK_EQUAL(upcalls, before + 1);
    CHECK_EQUAL(take(), a);

    /* Polling. */
    CHECK_EQUAL(send(b), 0);
    evtchn_port_t port = b;
    struct sched_poll poll = {.nr_ports = 1, .timeout = system_time() + 5000000000};
    set_xen_guest_handle(poll.ports, &port);
    CHECK_EQUAL(call2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll), 0);
    CHECK_EQUAL(take(), b);
}

/* The links belong to the guest: whatever it writes there, only its own events suffer. */
static void test_malice(void)
{
    u32 ports[8];
    static const u32 garbage[] = {0xffffffff,
                                  EVTCHN_FIFO_LINK_MASK,
                                  0x1ffff,
                                  0x2fffffff,
                                  1u << EVTCHN_FIFO_BUSY,
                                  1u << EVTCHN_FIFO_LINKED,
                                  0,
                                  0x10001};
    static u32 copy[1024];

    for (u32 i = 0; i < 8; i++)
        ports[i] = bind();
    events_off();
    for (u32 round = 0; round < ARRAY_SIZE(garbage) * 8; round++) {
        for (u32 i = 0; i < 8; i++) {
            send(ports[i]);
            if (i == (round & 7)) {
                array[ports[i]] = garbage[round / 8];
                array[ports[(i + 1) & 7]] = garbage[round / 8];
                control->head[round & 15] = garbage[round / 8];
                control->ready = garbage[(round / 8 + 1) & 7];
            }
        }
        struct evtchn_unmask unmask = {.port = ports[round & 7]};
        event_op(EVTCHNOP_unmask, &unmask);
        priority(ports[(round + 3) & 7], round & 15);
    }
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17);

    /* Pages behind the hypervisor's back: as data they may say anything. */
    memcpy(copy, (void *)array, sizeof(copy));
    for (u32 i = 0; i < 1024; i++)
        array[i] = i * 0x9e3779b9u;
    for (u32 i = 0; i < 8; i++)
        send(ports[i]);
    memset((void *)array, 0, PAGE_SIZE);
    memset(control, 0, sizeof(*control));
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    CHECK_EQUAL(event_op(EVTCHNOP_reset, &reset), 0);
    /* Back to the 2-level ABI. */
    u32 port = bind();
    CHECK_EQUAL(send(port), 0);
    CHECK(shared_info->evtchn_pending[port / 64] >> (port % 64) & 1);
    for (u32 i = 0; i < 1024 && !copy[0]; i++)
        copy[0] = array[i];
    CHECK_EQUAL(array[port], 0);
}

static void test_expansion(void)
{
    struct evtchn_expand_array expand = {0};
    u32 status = 0, pages = 1;

    while (!status && pages < 200) {
        u8 *page = page_new();
        expand.array_gfn = frame_of(page);
        status = (u32)event_op(EVTCHNOP_expand_array, &expand);
        pages += !status;
        if (pages > 100 && !status)
            status = (u32)-ENOSPC; /* enough: the limit is 128 pages, our pool is smaller than twice
                                      that */
    }
    CHECK_EQUAL((int)status, -ENOSPC);
    CHECK(pages > 100);
}

void guest_main(void)
{
    u32 early;

    trap_hook = upcall;
    test_setup(&early);
    test_delivery(early);
    test_expansion();
    test_malice();
}
