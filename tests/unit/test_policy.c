/* SPDX-License-Identifier: GPL-2.0-only */
// sources: hypercall/policy.c
/* Who may do what to whom: every combination of caller, target and operation. */
#include "core/policy.h"

#include <setjmp.h>
#include <cmocka.h>

struct cpu_local host_cpu_local;
static struct domain control = {.id = 0, .is_control = true, .is_hardware = true};
static struct domain guest = {.id = 1}, other = {.id = 2}, idle = {.id = 3, .is_idle = true};
static struct vcpu caller;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}

struct domain *domain_get(domid_t id)
{
    struct domain *all[] = {&control, &guest, &other, &idle};
    struct domain *d = id == DOMID_SELF ? caller.domain : id < ARRAY_SIZE(all) ? all[id] : NULL;

    if (d)
        d->references++;
    return d;
}

void domain_put(struct domain *d)
{
    d->references--;
}

static void combinations(void **state)
{
    (void)state;
    for (u32 op = POLICY_MEMORY; op <= POLICY_IRQ; op++) {
        bool others_business = op == POLICY_DOMCTL || op == POLICY_IRQ;
        assert_int_equal(policy_check(&control, &guest, op), 0);
        assert_int_equal(policy_check(&control, &control, op), 0);
        assert_int_equal(policy_check(&control, &idle, op), -EPERM);
        assert_int_equal(policy_check(&guest, &guest, op), others_business ? -EPERM : 0);
        assert_int_equal(policy_check(&guest, &other, op), -EPERM);
        assert_int_equal(policy_check(&guest, &control, op), -EPERM);
        assert_int_equal(policy_check(&guest, &idle, op), -EPERM);
    }
    assert_int_equal(policy_system(&control), 0);
    assert_int_equal(policy_system(&guest), -EPERM);
    assert_int_equal(policy_hardware(&control), 0);
    assert_int_equal(policy_hardware(&guest), -EPERM);
}

/* References are kept on success only. */
static void targets(void **state)
{
    struct domain *d = NULL;
    (void)state;

    current = &caller;
    caller.domain = &guest;
    assert_int_equal(policy_target(DOMID_SELF, POLICY_MEMORY, &d), 0);
    assert_ptr_equal(d, &guest);
    assert_int_equal(guest.references, 1);
    domain_put(d);
    assert_int_equal(policy_target(2, POLICY_EVENTS, &d), -EPERM);
    assert_int_equal(other.references, 0);
    assert_int_equal(policy_target(77, POLICY_EVENTS, &d), -ESRCH);
    caller.domain = &control;
    assert_int_equal(policy_target(2, POLICY_DOMCTL, &d), 0);
    assert_int_equal(other.references, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combinations),
        cmocka_unit_test(targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
