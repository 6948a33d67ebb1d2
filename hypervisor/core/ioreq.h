/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device models outside: a server is a program, most often in the control
 * domain, that answers some of a translated domain's accesses to ports, device
 * memory and PCI configuration space. It shares a page with a slot for each
 * vCPU (public/hvm/ioreq.h) and an event channel with each; one page more may
 * take writes that nobody waits for.
 *
 * What the server writes into the pages is as hostile as a guest's memory.
 */
#pragma once

#include "core/domain.h"

#include <xen/hvm/ioreq.h>

#define IOREQ_SERVERS 8

/* Memory that one only draws into. */
static inline bool vga_memory(u64 address)
{
    return address >> 17 == 0xa0000 >> 17;
}

/*
 * Control, by another domain than d. d's vCPUs stand still meanwhile; LOCK_DOMAIN
 * is taken. -ENOENT: no such server; -EINVAL, -EEXIST, -ENOMEM, -ENOSPC.
 */
int ioreq_create(struct domain *d, u32 buffering, u16 *id); /* HVM_IOREQSRV_BUFIOREQ_* */
int ioreq_destroy(struct domain *d, u16 id);
int ioreq_enable(struct domain *d, u16 id, bool enable);
/* type: XEN_DMOP_IO_RANGE_* */
int ioreq_claim(struct domain *d, u16 id, u32 type, u64 first, u64 last, bool claim);
int ioreq_buffer_port(struct domain *d, u16 id, u32 *port);
/* A page of the server: XENMEM_resource_ioreq_server_frame_*. */
#define IOREQ_FRAMES 2
int ioreq_frame(struct domain *d, u32 id, u64 which, mfn_t *frame);
/* The domain ends: no vCPU of it will run. 0. */
int ioreq_destroy_all(struct domain *d);

/* For the current vCPU, which has no question open. */
enum ioreq_sent { IOREQ_NOBODY, IOREQ_TAKEN, IOREQ_ASKED };
/* What is to be done but the state and the port. Configuration space is at device << 32 |
 * register. */
enum ioreq_sent ioreq_send(const struct ioreq *question);
/* Its question is still open; else *value is the answer, ~0 if the server went away. */
bool ioreq_waits(u64 *value);
/* d's memory has gone from some of its addresses: servers are to forget what they mapped. */
void ioreq_memory_gone(struct domain *d);
/* Tells them, by the current vCPU, if there is a need. True: it waits for them. */
bool ioreq_tell_memory_gone(void);
/* The server has notified vCPU id of d. */
void ioreq_notified(struct domain *d, u32 vcpu);
