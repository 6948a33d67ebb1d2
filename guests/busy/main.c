/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who gets how much of a busy processor, and how soon. A micro dom0 builds domains that never rest
 * and one that sleeps, and measures: shares by weight, caps, that nobody starves, and how late the
 * sleeper runs after its timer or an event.
 *
 * The figures mean something on a machine whose clock counts instructions (QEMU's -icount, one
 * processor); the word "exact" says that it does, "shares" and "wake" choose a part. Without them
 * it is a test that all of this works at all, done quickly. As a guest of the toolstack this image
 * just spins on all its vCPUs.
 */
#include "busy.h"

static u64 length; /* of one measurement, ns */
static bool exact;

static u64 vcpu_time(u32 domain, u32 vcpu)
{
    struct xen_domctl op = {0};

    op.u.getvcpuinfo.vcpu = vcpu;
    CHECK_EQUAL(domctl(XEN_DOMCTL_getvcpuinfo, domain, &op), 0);
    return op.u.getvcpuinfo.cpu_time;
}

static u64 domain_time(const struct built *d)
{
    u64 sum = 0;

    for (u32 vcpu = 0; vcpu < d->vcpus; vcpu++)
        sum += vcpu_time(d->id, vcpu);
    return sum;
}

static void rest(u64 ns)
{
    u64 until = system_time() + ns;

    while (system_time() < until)
        sleep_until(until);
    events_taken();
}

static void start(struct built *d)
{
    CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, d->id), 0);
    for (u32 i = 0; i < 1000 && !d->box->up; i++)
        rest(MS);
    CHECK_EQUAL(d->box->up, 1);
    if (d->vcpus > 1) /* it tried to bring up one more than there are */
        CHECK_EQUAL(d->box->status, -ENOENT);
}

/* part is `per_mille` of whole, give or take 20 (two in a hundred of a processor). */
static void check_share(const char *what, u64 part, u64 whole, u32 per_mille)
{
    u32 share = (u32)(part * 1000 / (whole ? whole : 1));
    bool ok = !exact || (share + 20 >= per_mille && share <= per_mille + 20);

    say("%s: %u.%u %%, want %u.%u\n", what, share / 10, share % 10, per_mille / 10, per_mille % 10);
    check(ok, __FILE__, __LINE__, "%s: %u of 1000, not %u", what, share, per_mille);
}

struct plan {
    const char *name;
    u32 vcpus, weight, cap, per_mille;
};

/* Two domains side by side (or one): what they get of the time that passes. */
static void measure(const struct plan *plans, u32 count)
{
    struct built domains[2];
    u64 before[2], start_time;

    for (u32 i = 0; i < count; i++) {
        domains[i] = domain_build(ROLE_SPIN, plans[i].vcpus);
        domain_schedule(domains[i].id, plans[i].weight, plans[i].cap);
    }
    for (u32 i = 0; i < count; i++)
        start(&domains[i]);
    rest(length / 8); /* let the past be past */
    start_time = system_time();
    for (u32 i = 0; i < count; i++)
        before[i] = domain_time(&domains[i]);
    rest(length);
    u64 passed = system_time() - start_time;
    for (u32 i = 0; i < count; i++)
        check_share(plans[i].name, domain_time(&domains[i]) - before[i], passed,
                    plans[i].per_mille);
    for (u32 i = 0; i < count; i++)
        domain_end(&domains[i]);
}

static void test_shares(void)
{
    static const struct plan equal[] = {{"equal, first", 1, 256, 0, 500},
                                        {"equal, second", 1, 256, 0, 500}};
    static const struct plan weights[] = {{"weight 256 beside 768", 1, 256, 0, 250},
                                          {"weight 768 beside 256", 1, 768, 0, 750}};
    static const struct plan light[] = {{"weight 64 beside 256", 1, 64, 0, 200},
                                        {"weight 256 beside 64", 1, 256, 0, 800}};
    static const struct plan capped[] = {{"cap 25", 1, 256, 25, 250},
                                         {"beside cap 25", 1, 256, 0, 750}};
    static const struct plan two[] = {{"cap 50", 1, 256, 50, 500}, {"cap 10", 1, 256, 10, 100}};
    static const struct plan many[] = {{"two vCPUs, cap 30", 2, 256, 30, 300}};

    measure(equal, 2);
    measure(weights, 2);
    measure(light, 2);
    measure(capped, 2);
    measure(two, 2);
    measure(many, 1);
}

/* Eight in one domain and one alone, all of one weight: each vCPU has a ninth. */
static void test_none_starves(void)
{
    struct built eight = domain_build(ROLE_SPIN, 8), one = domain_build(ROLE_SPIN, 1);
    u64 before[8], least = ~0UL, most = 0;

    start(&eight);
    start(&one);
    rest(length / 8);
    u64 start_time = system_time(), of_one = domain_time(&one);
    for (u32 i = 0; i < 8; i++)
        before[i] = vcpu_time(eight.id, i);
    rest(length);
    u64 passed = system_time() - start_time;
    for (u32 i = 0; i < 8; i++) {
        u64 ran = vcpu_time(eight.id, i) - before[i];
        least = MIN(least, ran);
        most = MAX(most, ran);
    }
    check_share("one beside eight", domain_time(&one) - of_one, passed, 111);
    check_share("least of eight", least, passed, 111);
    check_share("most of eight", most, passed, 111);
    domain_end(&eight);
    domain_end(&one);
}

static void report_late(const char *what, u32 *ns, u32 count)
{
    for (u32 i = 1; i < count; i++)
        for (u32 k = i; k && ns[k - 1] > ns[k]; k--) {
            u32 other = ns[k];
            ns[k] = ns[k - 1];
            ns[k - 1] = other;
        }
    if (!count) { /* by the clock of a busy machine the window may be over before the first */
        check(!exact, __FILE__, __LINE__, "%s: no samples", what);
        return;
    }
    /* Xen lets nobody be preempted in the first millisecond of a turn. */
    u32 limit = has_word("stock") ? MS * 5 / 4 : MS;
    u32 middle = ns[count / 2], high = ns[(count - 1) * 99 / 100], most = ns[count - 1];
    say("%s: %u samples, median %u.%03u us, 99th percentile %u.%03u us, most %u.%03u us\n", what,
        count, middle / 1000, middle % 1000, high / 1000, high % 1000, most / 1000, most % 1000);
    check(!exact || count >= 100, __FILE__, __LINE__, "%s: %u samples", what, count);
    check(!exact || high <= limit, __FILE__, __LINE__, "%s: 99th percentile %u ns", what, high);
}

/* A sleeper among busy ones. dom0 sends it events at odd times, busy itself if told so. */
static void wake_among(const char *timer, const char *event, u32 busy_domains, u32 vcpus,
                       bool dom0_spins)
{
    static u32 late[MAX_SAMPLES];
    struct built busy[2], sleeper = domain_build(ROLE_SLEEP, 1);
    u64 pause = 7, now = system_time(), end = now + 2 * length, next = now;
    struct evtchn_send send = {.port = sleeper.port};

    for (u32 i = 0; i < busy_domains; i++) {
        busy[i] = domain_build(ROLE_SPIN, vcpus);
        start(&busy[i]);
    }
    now = system_time();
    end = now + 2 * length;
    sleeper.box->end = end;
    start(&sleeper);
    while ((now = system_time()) < end) {
        if (now >= next && !sleeper.box->sent) {
            pause = (pause * 1103515245 + 12345) & 0x7fffffff;
            next = now + 2 * MS + pause % (5 * MS);
            sleeper.box->sent = system_time();
            CHECK_EQUAL(call2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0);
        } else if (!dom0_spins) {
            sleep_until(MAX(next, now + MS / 10));
        }
    }
    rest(20 * MS);
    u32 count = sleeper.box->timers;
    memcpy(late, sleeper.box->timer_late, sizeof(late));
    report_late(timer, late, MIN(count, (u32)MAX_SAMPLES));
    count = sleeper.box->events;
    memcpy(late, sleeper.box->event_late, sizeof(late));
    report_late(event, late, MIN(count, (u32)MAX_SAMPLES));
    domain_end(&sleeper);
    for (u32 i = 0; i < busy_domains; i++)
        domain_end(&busy[i]);
}

void guest_main(void)
{
    bool shares = has_word("shares"), wake = has_word("wake");

    if (!(start_info->flags & SIF_INITDOMAIN))
        spin_as_guest();
    exact = has_word("exact");
    length = exact ? 1000 * MS : 40 * MS;
    sleeper_init();
    if (shares || !wake) {
        test_shares();
        test_none_starves();
    }
    if (wake || !shares) {
        wake_among("timer, 8 busy", "event from a sleeping domain, 8 busy", 1, 8, false);
        wake_among("timer, 2 x 4 busy and dom0", "event from a busy domain", 2, 4, true);
    }
}
