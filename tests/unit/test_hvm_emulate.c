// sources: hvm/emulate.c hvm/walk.c emulate/emulate.c emulate/decode.c
// sources: core/physmap.c memory/p2m.c
// sources: memory/frame.c memory/alloc.c memory/heap.c lib/bitmap.c
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's instructions on a device and at ports, with a device that now and
 * then takes its time: what the device has seen in the end, and registers,
 * memory and exceptions. Paging is off, so linear addresses are physical ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/translated_world.h"

#include "emulate/decode.h"
#include "lib/log.h"

#define DEVICE 0x40000UL /* guest-physical, where no memory is */
#define CODE   0x1000UL
#define PE     1UL
#define TF     0x100UL

static struct hvm_segment segments[6];
static struct {
    u32 vector, count, crashed, steps;
    s64 error;
} raised;

/* What reached the device: what was written, reads count up. `slow`: every access waits once. */
static struct {
    u64 address[64], value[64], next;
    u32 count, waits;
    bool slow, port;
    bool takes_many, asked;
    u64 many, pieces, data; /* items in pieces; of the last piece: */
    struct hvm_io_access last;
} device;

void printk_guest(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}
void hvm_crash(struct hvm_vcpu *v, const char *why)
{
    (void)v, (void)why;
    raised.crashed++;
}
void hvm_raise(struct hvm_vcpu *v, u32 vector, s64 error)
{
    (void)v;
    raised.vector = vector;
    raised.error = error;
    raised.count++;
}
void hvm_raise_page_fault(struct hvm_vcpu *v, u64 address, u32 error)
{
    (void)address;
    hvm_raise(v, 14, error);
}

static u64 vectors[16][2];
void fpu_vector(u32 number, u64 value[2], bool set)
{
    u64 *from = set ? value : vectors[number], *to = set ? vectors[number] : value;

    to[0] = from[0];
    to[1] = from[1];
}

static void act(const struct hvm_io_access *a, u64 *value)
{
    assert_in_range(device.count, 0, ARRAY_SIZE(device.address) - 1);
    device.address[device.count] = a->address | (a->write ? 1UL << 63 : 0);
    if (!a->write)
        *value = ++device.next & (~0UL >> (64 - 8 * a->bytes));
    device.value[device.count++] = *value;
    device.port = a->port;
}

/* As hvm/io.h promises it. */
int hvm_io(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 *value)
{
    struct hvm_io *io = &v->io;

    assert_true(a->bytes == 1 || a->bytes == 2 || a->bytes == 4 || a->bytes == 8);
    if (io->used < io->count) {
        const struct hvm_io_access *done = &io->done[io->used];

        assert_true(done->address == a->address && done->bytes == a->bytes &&
                    done->port == a->port && done->write == a->write);
        if (!a->write)
            *value = io->value[io->used];
        io->used++;
        return 0;
    }
    assert_in_range(io->count, 0, HVM_IO_STEPS - 1);
    act(a, value);
    io->done[io->count] = *a;
    io->value[io->count++] = *value;
    if (device.slow) {
        device.waits++;
        io->used = 0;
        return -EAGAIN;
    }
    io->used++;
    return 0;
}

/* Asked twice where the device takes its time; the second time it is done. */
int hvm_io_many(struct hvm_vcpu *v, const struct hvm_io_access *a, u64 data)
{
    u64 count = (u64)labs(a->count), low = data - (a->count < 0 ? (count - 1) * a->bytes : 0);

    (void)v;
    assert_in_range(count, 2, PAGE_SIZE);
    if (!device.takes_many)
        return 0;
    if (a->memory)
        assert_true((low & ~PAGE_MASK) + count * a->bytes <= PAGE_SIZE);
    device.asked = !device.asked;
    if (device.asked && device.slow)
        return -EAGAIN;
    device.asked = false;
    device.last = *a;
    device.data = data;
    device.many += count;
    device.pieces++;
    return 1;
}

void hvm_io_complete(struct hvm_vcpu *v)
{
    assert_int_equal(v->io.used, v->io.count);
    v->io = (struct hvm_io){.count = 0};
}

static struct hvm_segment segment(struct hvm_vcpu *v, u32 number)
{
    struct hvm_segment s = segments[number];

    (void)v;
    if (paging.code64 && number < SEGMENT_FS)
        s.base = 0;
    return s;
}
static void instruction_done(struct hvm_vcpu *v, u32 length)
{
    (void)v;
    guest_regs()->rip += length;
    raised.steps++;
}
static const struct hvm_machine machine = {.name = "test",
                                           .get_paging = get_paging,
                                           .segment = segment,
                                           .instruction_done = instruction_done,
                                           .get_state = get_state,
                                           .set_state = set_state};
const struct hvm_machine *hvm_machine = &machine;

/* Flat segments; code of 2, 4 or 8 bytes. */
static struct cpu_user_regs *begin(u32 code_bytes, bool slow, const char *code, u32 length)
{
    struct cpu_user_regs *r = guest_regs();

    memset(&raised, 0, sizeof(raised));
    memset(&device, 0, sizeof(device));
    device.slow = slow;
    memset(&hardware, 0, sizeof(hardware));
    paging = (struct hvm_paging){
        .cr0 = code_bytes == 2 ? 0 : PE, .code64 = code_bytes == 8, .code32 = code_bytes == 4};
    for (u32 n = 0; n < ARRAY_SIZE(segments); n++)
        segments[n] = (struct hvm_segment){0, ~0U, n == SEGMENT_CS ? 0xc9b : 0xc93};
    memset(r, 0, sizeof(*r));
    r->rip = CODE;
    r->rflags = 2;
    memcpy(at(CODE), code, length);
    return r;
}
#define BEGIN(bytes, slow, code) begin(bytes, slow, code, sizeof(code) - 1)

/* Replies come until nothing is under way. */
static void settle(void)
{
    for (u32 n = 0; vcpu.io.again; n++) {
        assert_in_range(n, 0, 100);
        hvm_io_again(&vcpu);
    }
}

static void page_fault(u64 address, bool write)
{
    hvm_exit_page(&vcpu, address, write, false);
    settle();
}

static void test_loads_and_stores(void **state)
{
    (void)state;
    for (u32 slow = 0; slow < 2; slow++) {
        struct cpu_user_regs *r = BEGIN(8, slow, "\x8b\x03"); /* mov (%rbx), %eax */

        r->rbx = DEVICE + 4;
        device.next = 41;
        page_fault(DEVICE + 4, false);
        assert_int_equal(r->rax, 42);
        assert_int_equal(r->rip, CODE + 2);
        assert_int_equal(device.count, 1);
        assert_int_equal(device.waits, slow);

        r = BEGIN(8, slow, "\xf0\x83\x0b\x05"); /* lock orl $5, (%rbx): one read, one write */
        r->rbx = DEVICE;
        device.next = 7;
        page_fault(DEVICE, true);
        assert_int_equal(device.count, 2);
        assert_int_equal(device.address[0], DEVICE);
        assert_int_equal(device.address[1], DEVICE | 1UL << 63);
        assert_int_equal(device.value[1], 8 | 5);
        assert_int_equal(raised.steps, 1);
        assert_int_equal(raised.count, 0);
    }
}

/* Moves of 16 bytes are two accesses; what only looks like them is none. */
static void test_vectors(void **state)
{
    static const struct {
        const char *code; /* of 4 bytes, for (%rbx) */
        u32 number;
        bool store, refused;
    } cases[] = {
        {"\x66\x0f\x6f\x0b", 1, false, false}, {"\xf3\x0f\x7f\x13", 2, true, false},
        {"\x66\x0f\xe7\x1b", 3, true, false},  {"\x44\x0f\x10\x03", 8, false, false},
        {"\x0f\x11\x23\x90", 4, true, false},  {"\x66\x0f\x28\x2b", 5, false, false},
        {"\x0f\x29\x33\x90", 6, true, false},  {"\x0f\x2b\x3b\x90", 7, true, false},
        {"\xf3\x0f\x10\x0b", 0, false, true}, /* MOVSS */
        {"\xf2\x0f\x11\x0b", 0, false, true}, /* MOVSD */
        {"\x0f\x6f\x0b\x90", 0, false, true}, /* MMX */
        {"\xf3\x0f\xe7\x0b", 0, false, true},
    };

    (void)state;
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        u32 c = i / 2, n = cases[c].number;
        struct cpu_user_regs *r = begin(8, i & 1, cases[c].code, 4);

        memset(vectors, 0, sizeof(vectors));
        vectors[n][0] = 0x1111;
        vectors[n][1] = 0x2222;
        r->rbx = DEVICE + 0x10;
        page_fault(DEVICE + 0x10, cases[c].store);
        assert_int_equal(raised.count, cases[c].refused);
        assert_int_equal(device.count, cases[c].refused ? 0 : 2);
        if (cases[c].refused)
            continue;
        assert_int_equal(r->rip, CODE + (cases[c].code[0] == 0xf ? 3 : 4));
        for (u32 half = 0; half < 2; half++) {
            u64 address = (DEVICE + 0x10 + half * 8) | (cases[c].store ? 1UL << 63 : 0);

            assert_int_equal(device.address[half], address);
            assert_int_equal(vectors[n][half], cases[c].store ? 0x1111 * (half + 1) : half + 1);
            assert_int_equal(device.value[half], vectors[n][half]);
        }
    }
}

/* Real mode: bases and limits of segments, 16-bit operands, from memory to a device and back. */
static void test_real_mode(void **state)
{
    (void)state;
    for (u32 slow = 0; slow < 2; slow++) {
        struct cpu_user_regs *r = BEGIN(2, slow, "\xf3\xa5"); /* rep movsw */

        segments[SEGMENT_DS] = (struct hvm_segment){0x2000, 0xffff, 0x93};
        segments[SEGMENT_ES] = (struct hvm_segment){DEVICE, 0xffff, 0x93};
        r->rcx = 3;
        r->rsi = 0x10;
        memcpy(at(0x2010), "abcdef", 6);
        page_fault(DEVICE, true);
        assert_int_equal(device.count, 3);
        assert_int_equal(device.address[2], (DEVICE + 4) | 1UL << 63);
        assert_int_equal(device.value[2], 'e' | 'f' << 8);
        assert_int_equal(r->rcx, 0);
        assert_int_equal(r->rip, CODE + 2);

        r = BEGIN(2, slow, "\xf3\xa4"); /* rep movsb, from the device over a page's end */
        segments[SEGMENT_DS] = (struct hvm_segment){DEVICE, 0xffff, 0x93};
        r->rcx = 4;
        r->rdi = 0x2ffe;
        page_fault(DEVICE, false);
        assert_memory_equal(at(0x2ffe), "\1\2", 2);
        assert_memory_equal(at(0x3000), "\3\4", 2);
        assert_int_equal(device.count, 4);

        r = BEGIN(2, slow, "\x89\x07"); /* mov %ax, (%bx): its second byte is behind the limit */
        segments[SEGMENT_DS] = (struct hvm_segment){DEVICE, 0xffff, 0x93};
        r->rbx = 0xffff;
        page_fault(DEVICE + 0xffff, true);
        assert_int_equal(raised.vector, 13);
        assert_int_equal(device.count, 0);
        assert_int_equal(r->rip, CODE);
    }
}

static void test_segment_rights(void **state)
{
    (void)state;
    static const struct {
        u16 attributes;
        u32 limit;
        bool read, write;
    } cases[] = {
        {0xc93, ~0U, true, true},          {0xc91, ~0U, true, false},
        {0xc9b, ~0U, true, false},         {0xc99, ~0U, false, false},
        {0xc13, ~0U, false, false}, /* not present */
        {0xc93, DEVICE + 2, false, false}, {0xc93, DEVICE + 3, true, true},
        {0xc97, DEVICE - 1, true, true}, /* expands down */
        {0xc97, DEVICE, false, false},     {0x897, DEVICE - 1, false, false},
    };

    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool write = i & 1, good = write ? cases[i / 2].write : cases[i / 2].read;
        struct cpu_user_regs *r = write ? BEGIN(4, false, "\x36\x89\x03")
                                        : BEGIN(4, false, "\x36\x8b\x03");

        segments[SEGMENT_SS] = (struct hvm_segment){0, cases[i / 2].limit, cases[i / 2].attributes};
        r->rbx = DEVICE;
        page_fault(DEVICE, write);
        assert_int_equal(raised.count, !good);
        assert_int_equal(device.count, good);
        if (!good)
            assert_int_equal(raised.vector, 12);
    }
    BEGIN(8, false, "\x8b\x03")->rbx = 1UL << 47;
    page_fault(DEVICE, false);
    assert_int_equal(raised.vector, 13);
    BEGIN(8, false, "\x8b\x45\x00")->rbp = 1UL << 47;
    page_fault(DEVICE, false);
    assert_int_equal(raised.vector, 12);
}

static void test_ports(void **state)
{
    (void)state;
    for (u32 slow = 0; slow < 2; slow++) {
        struct cpu_user_regs *r = BEGIN(4, slow, "\xec"); /* in (%dx), %al */
        struct hvm_port_access a = {.port = 0x1f0, .bytes = 1, .in = true, .next_rip = CODE + 1};

        r->rax = 0x11223344;
        hvm_exit_port(&vcpu, &a);
        settle();
        assert_int_equal(r->rax, 0x11223301);
        assert_int_equal(r->rip, CODE + 1);

        r = BEGIN(4, slow, "\xf3\x6d"); /* rep insl: memory is written as the words come */
        a = (struct hvm_port_access){
            .port = 0x1f0, .bytes = 4, .in = true, .string = true, .rep = true};
        r->rdx = 0x1f0;
        r->rcx = 5;
        r->rdi = 0x2000;
        hvm_exit_port(&vcpu, &a);
        settle();
        assert_int_equal(device.count, 5);
        assert_true(device.port);
        assert_int_equal(r->rcx, 0);
        assert_memory_equal(at(0x2010), "\5\0\0\0", 4);

        /* Where it may not write, the port is not asked. */
        r = BEGIN(4, slow, "\x6c");
        segments[SEGMENT_ES].attributes = 0xc91;
        hvm_exit_port(&vcpu, &a);
        assert_int_equal(raised.vector, 13);
        assert_int_equal(device.count, 0);

        r = BEGIN(4, slow, "\xf3\x6e"); /* rep outsb; at most so many in one go */
        r->rcx = 40;
        hvm_exit_port(&vcpu, &a);
        settle();
        assert_int_equal(device.count, 40);
        assert_int_equal(r->rip, CODE + 2);

        r = BEGIN(4, slow, "\xf3\x6d"); /* by the page, where the device can */
        device.takes_many = true;
        r->rdx = 0x1f0;
        r->rdi = 0x2ff0;
        r->rcx = 0x10 / 4 + 0x400 + 3;
        hvm_exit_port(&vcpu, &a);
        settle();
        assert_int_equal(device.many, 0x10 / 4 + 0x400 + 3);
        assert_int_equal(device.pieces, 3);
        assert_int_equal(device.data, 0x4000);
        assert_true(device.last.port && device.last.memory && !device.last.write);
        assert_int_equal(device.last.address, 0x1f0);
        assert_int_equal(device.count, 0);
        assert_int_equal(r->rcx, 0);
        assert_int_equal(r->rdi, 0x4000 + 12);
        assert_int_equal(r->rip, CODE + 2);

        r = BEGIN(4, slow, "\xf3\x6f"); /* downwards */
        device.takes_many = true;
        r->rflags |= BIT(10);
        r->rsi = 0x2008;
        r->rcx = 4;
        hvm_exit_port(&vcpu, &a);
        settle();
        assert_int_equal(device.many, 3);
        assert_int_equal(device.last.count, -3);
        assert_int_equal(device.data, 0x2008);
        assert_int_equal(device.count, 1); /* the one that is alone in its page */
        assert_int_equal(r->rsi, 0x1ff8);
        assert_int_equal(r->rcx, 0);
    }
}

#define SCREEN 0xa0000UL

/* REP MOVS and STOS on device memory: which pieces, and what is left to be done one by one. */
static void test_moves_by_the_page(void **state)
{
    static const struct {
        const char *code; /* of 2 bytes and a prefix for the size */
        u64 source, target, items;
        bool down;
        u64 pieces, many; /* of the latter, how many at once */
        u64 address, data;
        bool write, memory;
    } cases[] = {
        {"\xf3\x48\xab", 0, DEVICE, 512, false, 1, 512, DEVICE, 0x5a5a, true, false},
        {"\xf3\x48\xab", 0, DEVICE + 0xff8, 2, false, 0, 0, 0, 0, false, false},
        {"\xf3\x48\xab", 0, DEVICE + 0xff0, 4, true, 1, 4, DEVICE + 0xff0, 0x5a5a, true, false},
        {"\xf3\x48\xa5", 0x2010, DEVICE, 16, false, 1, 16, DEVICE, 0x2010, true, true},
        {"\xf3\x48\xa5", DEVICE + 8, 0x2010, 16, false, 1, 16, DEVICE + 8, 0x2010, false, true},
        {"\xf3\x48\xa5", DEVICE + 16, 0x2010, 3, true, 1, 3, DEVICE + 16, 0x2010, false, true},
        {"\xf3\x48\xa5", 0x2ff0, DEVICE, 12, false, 2, 12, DEVICE + 16, 0x3000, true, true},
        {"\xf3\x48\xa5", SCREEN + 160, SCREEN, 9, false, 1, 9, SCREEN + 160, SCREEN, false, true},
        {"\xf3\x48\xa5", DEVICE + 160, DEVICE, 9, false, 0, 0, 0, 0, false, false},
        {"\xf3\x48\xad", DEVICE, 0, 3, false, 0, 0, 0, 0, false, false},
    };

    (void)state;
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        u32 n = i / 2, stos = cases[n].code[2] == '\xab', lods = cases[n].code[2] == '\xad';
        struct cpu_user_regs *r = begin(8, i & 1, cases[n].code, 3);
        s64 moved = (s64)cases[n].items * (cases[n].down ? -8 : 8);

        device.takes_many = true;
        r->rflags |= cases[n].down ? BIT(10) : 0;
        r->rax = 0x5a5a;
        r->rsi = cases[n].source;
        r->rdi = cases[n].target;
        r->rcx = cases[n].items;
        page_fault(cases[n].pieces ? cases[n].address : DEVICE, true);
        assert_int_equal(device.pieces, cases[n].pieces);
        assert_int_equal(device.many, cases[n].many);
        assert_int_equal(!device.count, cases[n].items == cases[n].many);
        if (device.many) {
            assert_int_equal(device.last.address, cases[n].address);
            assert_int_equal(device.data, cases[n].data);
            assert_int_equal(device.last.write, cases[n].write);
            assert_int_equal(device.last.memory, cases[n].memory);
            assert_int_equal(device.last.count < 0, cases[n].down);
        }
        assert_int_equal(r->rcx, 0);
        assert_int_equal(r->rsi, cases[n].source + (stos ? 0 : (u64)moved));
        assert_int_equal(r->rdi, cases[n].target + (lods ? 0 : (u64)moved));
        assert_int_equal(r->rip, CODE + 3);
        assert_int_equal(raised.count, 0);
    }
    /* Behind the segment's end, what is before it has been done. */
    struct cpu_user_regs *r = BEGIN(4, true, "\xf3\xab");

    segments[SEGMENT_ES].limit = DEVICE + 11;
    device.takes_many = true;
    r->rdi = DEVICE;
    r->rcx = 5;
    page_fault(DEVICE, true);
    assert_int_equal(device.count, 3);
    assert_int_equal(r->rcx, 2);
    assert_int_equal(r->rdi, DEVICE + 12);
    page_fault(DEVICE + 12, true);
    assert_int_equal(raised.vector, 13);
    assert_int_equal(r->rcx, 2);
}

/* Single-stepping; what cannot be emulated; a page that may only be read. */
static void test_ends(void **state)
{
    (void)state;
    struct cpu_user_regs *r = BEGIN(8, true, "\xf3\xaa"); /* rep stosb */

    r->rflags |= TF;
    r->rcx = 3;
    r->rdi = DEVICE;
    page_fault(DEVICE, true);
    assert_int_equal(device.count, 1);
    assert_int_equal(r->rcx, 2);
    assert_int_equal(raised.vector, 1);
    assert_int_equal(hardware.dr6, 1 << 14);

    r = BEGIN(8, false, "\xf3\x0f\x11\x03"); /* movss %xmm0, (%rbx) */
    r->rbx = DEVICE;
    page_fault(DEVICE, true);
    assert_int_equal(raised.vector, 13);
    assert_int_equal(device.count, 0);
    assert_int_equal(r->rip, CODE);

    r = BEGIN(8, false, "\x48\x89\x03");
    spin_lock(&guest->p2m.lock);
    assert_int_equal(p2m_set_kind(&guest->p2m, 5, P2M_READONLY), 0);
    spin_unlock(&guest->p2m.lock);
    r->rbx = 0x5008;
    r->rax = 99;
    page_fault(0x5008, true);
    assert_int_equal(raised.count, 0);
    assert_int_equal(r->rip, CODE + 3);
    spin_lock(&guest->p2m.lock);
    assert_int_equal(p2m_set_kind(&guest->p2m, 5, P2M_RAM), 0);
    spin_unlock(&guest->p2m.lock);
    assert_int_equal(*(u64 *)at(0x5008), 0);

    /* Over the end of memory: both pages are reached, in pieces that a device can take. */
    r = BEGIN(8, false, "\x89\x03");
    r->rbx = 0x1fffe;
    r->rax = 0x44332211;
    page_fault(0x20000, true);
    assert_int_equal(device.count, 1);
    assert_int_equal(device.value[0], 0x4433);
    assert_memory_equal(at(0x1fffe), "\x11\x22", 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_loads_and_stores),
        TEST(test_vectors),
        TEST(test_real_mode),
        TEST(test_segment_rights),
        TEST(test_ports),
        TEST(test_moves_by_the_page),
        TEST(test_ends),
    };

    fake_memory_init();
    return cmocka_run_group_tests_name("hvm_emulate", tests, NULL, NULL);
}
