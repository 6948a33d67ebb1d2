/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls mmu_update and update_va_mapping: a guest changes its page
 * tables, entry by entry. These are the most frequent calls of a PV guest after
 * iret; the common case (one level-1 entry of its own) is kept short.
 *
 * Locks: none here. Callers: the hypercall table.
 */
#include "core/physmap.h"
#include "cpu/perfc.h"
#include "pv/batch.h"
#include "pv/calls.h"
#include "pv/types.h"

int pv_find_frame_owner(u32 id, enum policy_op op, struct domain **owner)
{
    struct domain *me = current->domain;

    if (id == me->id) /* as *owner is already */
        return 0;
    if (id == DOMID_IO) {
        *owner = NULL;
        return 0;
    }
    if (id == DOMID_XEN) {
        /* What we show to tools, the machine-to-phys table, is the idle domain's. */
        if (!me->is_control)
            return reject(-EPERM, "maps memory of the hypervisor");
        *owner = idle_domain;
        domain_get_again(idle_domain);
        return 0;
    }
    TRY(policy_target((domid_t)id, op, owner));
    if (!(*owner)->is_hvm || op == POLICY_MAP_FOREIGN)
        return 0;
    pv_put_frame_owner(*owner);
    return reject(-EOPNOTSUPP, "frames of a translated guest by page tables");
}

/* Owners of the tables and of the frames that one call's entries name. */
struct parties {
    struct domain *tables, *frames;
    bool translated; /* frames by its own numbers */
};

static int get_parties(struct parties *p, u32 argument)
{
    /* Low half: frames. High half: tables, one more than the domain's number, 0 the caller. */
    u32 tables = argument >> 16;
    int error;

    TRY(pv_get_frame_owner(argument & 0xffff, POLICY_MAP_FOREIGN, &p->frames));
    p->tables = current->domain;
    p->translated = p->frames && p->frames->p2m;
    if (likely(!tables))
        return 0;
    if (tables - 1 == DOMID_IO || tables - 1 == DOMID_XEN)
        error = reject(-EPERM, "page tables of no guest");
    else
        error = pv_get_frame_owner(tables - 1, POLICY_PAGE_TABLES, &p->tables);
    if (error)
        pv_put_frame_owner(p->frames);
    return error;
}

/*
 * An entry that maps a translated domain's memory names its frame by that
 * domain's number. *held, NULL before, keeps the frame while the entry is made.
 */
static int name_frame(struct domain *owner, u64 *value, struct frame **held)
{
    if (likely(!owner || !owner->p2m) || !(*value & PTE_PRESENT))
        return 0;
    *held = domain_frame_get(owner, pte_mfn(*value).raw);
    if (!*held)
        return reject(-EINVAL, "no memory behind a translated domain's frame number");
    *value = (*value & ~PTE_ADDRESS) | pte_make(frame_to_mfn(*held), 0);
    return 0;
}

static int set_m2p(struct domain *owner, u64 number, u64 pfn)
{
    struct frame *f __put_frame = owner ? frame_get_from_guest(number, &owner->frames) : NULL;

    if (!f)
        return reject(-EINVAL, "machine-to-phys entry of another's frame");
    m2p_set(frame_to_mfn(f), pfn);
    return 0;
}

static __attribute__((noinline)) int update_named(const struct parties *p, u64 where, u64 value,
                                                  enum entry_mode how)
{
    struct frame *held __put_frame = NULL;

    TRY(name_frame(p->frames, &value, &held));
    return pv_update_entry(p->tables, p->frames, where, value, how);
}

static int one_update(const struct parties *p, const struct mmu_update *u)
{
    u64 where = u->ptr & ~3UL, kind = u->ptr & 3;
    enum entry_mode how = kind == MMU_PT_UPDATE_PRESERVE_AD ? ENTRY_PRESERVE_AD : ENTRY_SET;

    if (kind == MMU_MACHPHYS_UPDATE)
        return set_m2p(p->frames, where >> PAGE_SHIFT, u->val);
    if (unlikely(p->translated) && kind != MMU_PT_UPDATE_NO_TRANSLATE)
        return update_named(p, where, u->val, how);
    return pv_update_entry(p->tables, p->frames, where, u->val, how);
}

s64 hypercall_mmu_update(u64 list, u64 count, u64 done_pointer, u64 domain, u64 a4 __unused)
{
    struct mmu_update chunk[BATCH_CHUNK], *update;
    struct parties parties;
    struct batch batch;

    if (unlikely(!pv_finish_tables()))
        return hypercall_continue(list, count, done_pointer, domain, 0);
    TRY(batch_begin(&batch, list, count, done_pointer));
    TRY(get_parties(&parties, (u32)domain));
    while ((update = batch_next(&batch, chunk, sizeof(*update))))
        batch.error = one_update(&parties, update);
    perfc_add(mmu_updates, batch.done);
    pv_put_frame_owner(parties.tables);
    pv_put_frame_owner(parties.frames);
    return batch_end(&batch, domain, sizeof(*update));
}

/* UVMF_* flags: which flush, and on which vCPUs. */
static int flush_after_update(u64 va, u64 flags)
{
    u64 vcpus = flags & ~UVMF_FLUSHTYPE_MASK;
    enum flush_kind kind = FLUSH_ONE;

    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_NONE:
        return 0;
    case UVMF_TLB_FLUSH:
        kind = FLUSH_TLB;
        break;
    case UVMF_INVLPG:
        break;
    default:
        return reject(-EINVAL, "kind of flush");
    }
    if (vcpus == UVMF_LOCAL) {
        cpu_flush_local(kind, va);
        return 0;
    }
    return pv_flush_vcpus(current->domain, vcpus == UVMF_ALL ? 0 : vcpus, kind, va);
}

static s64 update_va(u64 va, u64 value, u64 flags, struct domain *owner)
{
    struct frame *table = pv_walk(to_pv(current), va);

    if (!table)
        return reject(-EINVAL, "address without a level-1 table");
    /* The walk gave a frame of RAM; whether it is a table of ours is checked now. */
    struct frame *held __put_frame = NULL;

    TRY(name_frame(owner, &value, &held));
    TRY(pv_update_l1(current->domain, owner, table, PV_SLOT(va), value, ENTRY_SET));
    return flush_after_update(va, flags);
}

s64 hypercall_update_va_mapping(u64 va, u64 value, u64 flags, u64, u64)
{
    return update_va(va, value, flags, current->domain);
}

s64 hypercall_update_va_mapping_otherdomain(u64 va, u64 value, u64 flags, u64 domain, u64)
{
    struct domain *owner;

    TRY(pv_get_frame_owner(domain & 0xffff, POLICY_MAP_FOREIGN, &owner));
    s64 error = update_va(va, value, flags, owner);
    pv_put_frame_owner(owner);
    return error;
}
