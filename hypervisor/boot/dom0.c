/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dom0 builder: unpacks the kernel module, lays out and fills domain 0's
 * memory, gives it the machine's ports, interrupts and device memory, and
 * makes its first vCPU ready. Runs once on the boot CPU, all others idle.
 *
 * Whatever the boot loader gave may be wrong: every way out names the module
 * or option at fault in one line and halts.
 */
#include "boot/boot.h"
#include "boot/dom0.h"
#include "cpu/features.h"
#include "lib/printf.h"
#include "platform/console.h"
#include "platform/machine.h"
#include "pv/mm.h"
#include <xen/domctl.h>

#define KERNEL_MAX (512UL << 20)

static __noreturn __init void __format_printf(1, 2) refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintk(LOG_ERROR, format, args);
    va_end(args);
    machine_halt();
}

/* The decompressors are ordinary libraries: they use SSE and read a stack
 * guard at %fs:0x28 (boot/image.h). */
static const char *__init load_kernel(const struct boot_module *module, struct kernel_image *image)
{
    static u64 __initdata thread_block[8];

    cpu_set_fs_base((u64)thread_block);
    cpu_set_task_switched(false);
    const char *wrong = image_load(module->start, module->size, KERNEL_MAX, heap_alloc, image);
    cpu_set_fs_base(0);
    heap_free(image->scratch);
    return wrong;
}

/* The loadable segments, in file order: where some overlap, later ones win. */
static void __init place_segments(const struct dom0_memory *m, const struct kernel_image *image)
{
    for (u32 i = 0; i < image->segment_count; i++) {
        const struct kernel_segment *s = &image->segments[i];
        u64 address = image->virt_start - image->virt_base + s->paddr - image->paddr_start;

        dom0_copy(m, address, image->elf + s->file_offset, s->file_size);
        dom0_copy(m, address + s->file_size, NULL, s->memory_size - s->file_size);
    }
}

/* The frame list: p2m[pfn] = mfn. */
static void __init write_p2m(const struct dom0_memory *m, const struct dom0_layout *l)
{
    u64 *page = NULL;

    for (u64 pfn = 0; pfn < l->p2m_pages * 512; pfn++) {
        if (pfn % 512 == 0)
            page = dom0_frame(m, l->p2m_pfn + pfn / 512);
        page[pfn % 512] = pfn < m->pages ? dom0_mfn(m, pfn).raw : ~0UL;
    }
}

/* The screen is dom0's from now on: what mode it is in. Returns the size of the record. */
static u32 __init write_console_info(u8 *page, u32 offset, const struct boot_info *boot)
{
    struct dom0_vga_console_info *info = (void *)(page + offset);
    const struct framebuffer *f = &boot->framebuffer;
    __typeof__(&info->u.vesa_lfb) lfb = &info->u.vesa_lfb;

    if (framebuffer_usable(f)) {
        u64 size = ROUND_UP((u64)f->pitch * f->height, 0x10000UL) >> 16;

        info->video_type = boot->efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
        lfb->width = (u16)f->width;
        lfb->height = (u16)f->height;
        lfb->bytes_per_line = (u16)f->pitch;
        lfb->bits_per_pixel = f->bits_per_pixel;
        lfb->lfb_base = (u32)f->address;
        lfb->ext_lfb_base = (u32)(f->address >> 32);
        lfb->lfb_size = (u32)size;
        lfb->red_pos = f->red_position;
        lfb->red_size = f->red_size;
        lfb->green_pos = f->green_position;
        lfb->green_size = f->green_size;
        lfb->blue_pos = f->blue_position;
        lfb->blue_size = f->blue_size;
        /* What is left of a pixel of 32 bits, as the usual modes have it. */
        if (f->bits_per_pixel == 32) {
            lfb->rsvd_pos = 24;
            lfb->rsvd_size = 8;
        }
        lfb->gbl_caps = boot->vbe_capabilities;
        lfb->mode_attrs = boot->vbe_mode_attributes;
        return sizeof(*info);
    }
    if (boot->efi) /* which has no other screen */
        return 0;
    info->video_type = XEN_VGATYPE_TEXT_MODE_3;
    info->u.text_mode_3.font_height = 16;
    info->u.text_mode_3.rows = 25;
    info->u.text_mode_3.columns = 80;
    info->u.text_mode_3.cursor_y = 24;
    return sizeof(*info);
}

static void __init write_start_info(const struct dom0_memory *m, const struct kernel_image *image,
                                    const struct dom0_layout *l, const struct boot_module *kernel,
                                    const struct boot_info *boot, u64 initrd_size)
{
    const char *dom0_words = boot->dom0_words;
    u8 *page = dom0_frame(m, l->start_info_pfn);
    struct start_info *si = (void *)page;

    memset(page, 0, PAGE_SIZE);
    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = m->pages;
    si->shared_info = mfn_to_paddr(virt_to_mfn(m->d->shared_info)).raw;
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = l->virt_start + (l->tables_pfn << PAGE_SHIFT);
    si->nr_pt_frames = l->tables;
    si->mfn_list = l->p2m_virt;
    if (image->has_init_p2m) {
        si->first_p2m_pfn = l->p2m_pfn;
        si->nr_p2m_frames = l->p2m_pages + l->p2m_tables;
    }
    if (initrd_size) {
        si->mod_len = initrd_size;
        if (image->mod_start_pfn) {
            si->flags |= SIF_MOD_START_PFN;
            si->mod_start = l->initrd_pfn;
        } else {
            si->mod_start = l->virt_start + (l->initrd_pfn << PAGE_SHIFT);
        }
    }
    int length = snprintf((char *)si->cmd_line, MAX_GUEST_CMDLINE, "%s%s%s", kernel->arguments,
                          dom0_words ? " " : "", dom0_words ? dom0_words : "");
    if (length >= MAX_GUEST_CMDLINE)
        printk(LOG_WARNING, "dom0's command line is cut at %u bytes\n", MAX_GUEST_CMDLINE - 1);
    si->console.dom0.info_off = ROUND_UP((u32)sizeof(*si), 16u);
    si->console.dom0.info_size = write_console_info(page, si->console.dom0.info_off, boot);
}

/* The machine is dom0's but for what we drive ourselves. */
static void __init give_machine(struct domain *d)
{
    int error = rangeset_add(&d->io_memory, 0, (1UL << (cpu_address_bits - PAGE_SHIFT)) - 1);
    error |= rangeset_add(&d->irqs, 0, 1023);
    error |= rangeset_add(&d->io_ports, 0, 0xffff);
    for (u32 port = 0; port <= 0xffff; port++)
        if (machine_port_is_ours((u16)port))
            error |= rangeset_remove(&d->io_ports, port, port);
    /* Local and I/O APICs: writing there would send any interrupt anywhere. */
    error |= rangeset_remove(&d->io_memory, 0xfec00, 0xfec0f);
    error |= rangeset_remove(&d->io_memory, 0xfee00, 0xfeeff);
    if (error)
        refuse("Not enough memory to build dom0\n");
}

static struct domain *__init create_domain(void)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = dom0_vcpus(),
        .max_evtchn_port = -1,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
    };
    struct domain *d;

    int error = domain_create(0, &config, true, &d);
    if (error)
        refuse("Cannot create dom0: error %d\n", error);
    for (u32 id = 0; id < config.max_vcpus; id++) {
        error = vcpu_create(d, id);
        if (error)
            refuse("Cannot create vCPU %u of dom0: error %d\n", id, error);
    }
    return d;
}

static void __init start_vcpu(const struct dom0_memory *m, const struct kernel_image *image,
                              const struct dom0_layout *l, mfn_t top)
{
    struct vcpu *v = m->d->vcpus[0];
    struct vcpu_guest_context *c = heap_zalloc(sizeof(*c));

    if (!c)
        refuse("Not enough memory to build dom0\n");
    int error;
    while ((error = pv_pin_table(m->d, top, 4)) == -ERESTART_HYPERCALL)
        ;
    if (error)
        refuse("dom0's initial page tables are refused: error %d\n", error);
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = image->entry;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.rsp = l->virt_start + ((l->stack_pfn + 1) << PAGE_SHIFT);
    c->user_regs.rsi = l->virt_start + (l->start_info_pfn << PAGE_SHIFT);
    c->user_regs.rflags = 0x202;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = xen_pfn_to_cr3(top.raw);
    error = v->ops->vcpu_set_context(v, c);
    heap_free(c);
    if (error)
        refuse("dom0's first vCPU cannot be set up: error %d\n", error);
    v->info->evtchn_upcall_mask = 1;
    vcpu_up(v);
}

static void __init report(const struct dom0_memory *m, const struct kernel_image *image,
                          const struct dom0_layout *l)
{
    printk(LOG_INFO, "dom0: %lu MiB, %u vCPUs, kernel %lx-%lx, entry %lx\n", m->pages >> 8,
           m->d->max_vcpus, image->virt_start, image->virt_end, image->entry);
    printk(LOG_DEBUG, "dom0: start info pfn %lx, page tables %lx+%lx, stack %lx, end %lx\n",
           l->start_info_pfn, l->tables_pfn, l->tables, l->stack_pfn,
           (l->virt_end - l->virt_start) >> PAGE_SHIFT);
    printk(LOG_DEBUG, "dom0: frame list at %lx, pfn %lx+%lx, initrd pfn %lx+%lx\n", l->p2m_virt,
           l->p2m_pfn, l->p2m_pages, l->initrd_pfn, l->initrd_pages);
}

/* The modules' whole pages above 1 MiB, now that what was in them is dom0's; none of them is ours
 * (boot_add_module). A reserved frame's count is 0 until it is given in: a loader may name a page
 * twice. Returns the bytes. */
static u64 __init free_modules(const struct boot_info *boot)
{
    u64 freed = 0;

    for (u32 i = 0; i < boot->module_count; i++) {
        const struct boot_module *m = &boot->modules[i];
        u64 end = (m->address.raw + m->size) >> PAGE_SHIFT;

        for (u64 n = ROUND_UP(m->address.raw, PAGE_SIZE) >> PAGE_SHIFT; n < end; n++) {
            if (n < 256 || !mfn_is_ram(mfn(n)) || mfn_to_frame(mfn(n))->count)
                continue;
            page_allocator_add(paddr(n << PAGE_SHIFT), paddr((n + 1) << PAGE_SHIFT));
            freed += PAGE_SIZE;
        }
    }
    return freed;
}

void __init dom0_build(const struct boot_info *boot)
{
    static struct kernel_image __initdata image;
    static struct dom0_memory __initdata m;
    struct dom0_layout l;

    if (!boot->module_count)
        refuse("No dom0 kernel: the boot loader gave no module\n");
    const struct boot_module *kernel = &boot->modules[0];
    u64 initrd_size = boot->module_count > 1 ? boot->modules[1].size : 0;
    if (!kernel->size)
        refuse("Cannot use the dom0 kernel (module 0): empty or out of bounds\n");
    if (boot->module_count > 1 && !initrd_size)
        printk(LOG_WARNING, "dom0 gets no initrd: module 1 is empty or out of bounds\n");
    const char *wrong = load_kernel(kernel, &image);
    if (wrong)
        refuse("Cannot use the dom0 kernel (module 0): %s\n", wrong);
    if (image.virt_base == 0)
        refuse("Cannot use the dom0 kernel (module 0): its virtual base is not stated\n");

    u64 free = memory_free();
    m.pages = dom0_pages();
    if (!m.pages || m.pages > free)
        refuse("dom0_mem= asks for %lu MiB, more than the %lu MiB that are free\n", m.pages >> 8,
               free >> 8);
    wrong = dom0_layout(&image, initrd_size, m.pages, &l);
    if (wrong)
        refuse("Cannot place the dom0 kernel (module 0): %s\n", wrong);

    m.d = create_domain();
    m.d->frames.max = ~0u;
    if (dom0_memory_take(&m))
        refuse("Not enough memory for dom0 (dom0_mem=)\n");
    m.d->frames.max = dom0_max_pages();

    for (u64 pfn = 0; pfn < l.end_pfn; pfn++)
        memset(dom0_frame(&m, pfn), 0, PAGE_SIZE);
    place_segments(&m, &image);
    if (initrd_size)
        dom0_copy(&m, l.initrd_pfn << PAGE_SHIFT, boot->modules[1].start, initrd_size);
    heap_free(image.buffer);
    write_p2m(&m, &l);
    write_start_info(&m, &image, &l, kernel, boot, initrd_size);
    give_machine(m.d);
    mfn_t top = dom0_tables(&m, &image, &l);
    report(&m, &image, &l);
    start_vcpu(&m, &image, &l, top);
    printk(LOG_INFO, "Boot modules freed: %lu KiB\n", free_modules(boot) >> 10);
    domain_unpause(m.d);
}
