/* SPDX-License-Identifier: GPL-2.0-only */
/* XENVER_*, unknown hypercalls, bad pointers. */
#include "runtime.h"

void guest_main(void)
{
    char extra[XEN_EXTRAVERSION_LEN] = "";
    xen_capabilities_info_t capabilities = "";
    struct xen_platform_parameters parameters = {0};
    struct xen_feature_info features = {0};

    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_extraversion, extra), 0);
    CHECK(!strcmp(extra, has_word("stock") ? ".7" : "-tenon"));
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_capabilities, capabilities), 0);
    CHECK(strstr(capabilities, "xen-3.0-x86_64") != NULL);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_platform_parameters, &parameters), 0);
    CHECK_EQUAL(parameters.virt_start, HYPERVISOR_VIRT_START);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_get_features, &features), 0);
    CHECK(features.submap != 0);
    features.submap_idx = 12345;
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_get_features, &features), -EINVAL);

    CHECK_EQUAL(call1(63, 0), -ENOSYS);
    CHECK_EQUAL(call1(0xffffffff, 0), -ENOSYS);
    CHECK_EQUAL(call1(~0UL, 0), -ENOSYS);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, 9999, 0), -ENOSYS);
    /* Not mapped, ours, not canonical, at the very end. */
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_extraversion, 0x1000), -EFAULT);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_extraversion, 0xffff830000000000), -EFAULT);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_extraversion, 0x8000000000000000), -EFAULT);
    CHECK_EQUAL(call2(__HYPERVISOR_xen_version, XENVER_extraversion, ~0UL - 3), -EFAULT);
}
