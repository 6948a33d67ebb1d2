// sources: emulate/decode.c
// options: -max_len=64
/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes: the decoder reads none behind the count, says a length it has seen, and the same with
 * more bytes. */
#include <stdlib.h>
#include <string.h>

#include "emulate/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct cpu_user_regs regs;
    struct instruction first, second;

    if (size < 2)
        return 0;
    u32 code_bytes = 2U << input[0] % 3;
    u32 count = size - 1 > INSTRUCTION_MAX ? INSTRUCTION_MAX : (u32)size - 1;
    memset(&regs, input[0], sizeof(regs));
    u8 *exact = malloc(count), longer[INSTRUCTION_MAX];
    memcpy(exact, input + 1, count);
    int status = instruction_decode(exact, count, code_bytes, &regs, &first);
    if (status && status != -EINVAL && status != -EFAULT)
        abort();
    if (status == -EFAULT && count == INSTRUCTION_MAX)
        abort();
    memset(longer, 0xcc, sizeof(longer));
    memcpy(longer, exact, count);
    int again = instruction_decode(longer, INSTRUCTION_MAX, code_bytes, &regs, &second);
    if (!status) {
        if (!first.length || first.length > count || again ||
            memcmp(&first, &second, sizeof(first)))
            abort();
        if (first.operand_bytes != 1 && first.operand_bytes != 2 && first.operand_bytes != 4 &&
            first.operand_bytes != 8)
            abort();
        if (first.map > 1 || first.mod > 3 || first.reg > 15 || first.rm > 15 ||
            first.segment > SEGMENT_GS ||
            (first.memory && first.address_bytes < 8 && first.address >> (8 * first.address_bytes)))
            abort();
    } else if (status == -EINVAL && again != -EINVAL) {
        abort(); /* what is no instruction does not become one by more bytes */
    }
    free(exact);
    return 0;
}
