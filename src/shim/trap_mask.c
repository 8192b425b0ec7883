/* SPDX-License-Identifier: MIT */
/*
 * Operands of which a mask, in a mask register or the signs of a vector, says what is accessed: a
 * register of a device that is masked out must not notice.
 */
#include <string.h>

#include "shim/trap_insn.h"

/* A mask register is read by a copy of "kmovq %k, operand". */
static bool read_mask(const struct trap_bench *b, const struct trap_insn *in, ZydisRegister reg,
		      uint64_t *mask)
{
	uint8_t insn[9] = { 0xc4, 0xe1, 0xf8, 0x91 };
	int32_t disp = trap_displacement(b, sizeof(insn));

	if (reg < ZYDIS_REGISTER_K0 || reg > ZYDIS_REGISTER_K7)
		return false;
	insn[4] = (uint8_t)((reg - ZYDIS_REGISTER_K0) << 3 | 0x05);
	memcpy(insn + 5, &disp, sizeof(disp));
	if (trap_copy_run(b, insn, sizeof(insn), in->uc, true))
		return false;
	memcpy(mask, b->operand, sizeof(*mask));
	return true;
}

/* The mask of those is a vector: the highest bit of each element. */
static bool has_vector_mask(const struct trap_insn *in)
{
	switch (in->insn.mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		return true;
	default:
		return false;
	}
}

/* It is read by a copy of "vmovdqu %ymm, operand". */
static bool read_vector_mask(const struct trap_bench *b, const struct trap_insn *in,
			     const ZydisDecodedOperand *op, struct trap_elements *out)
{
	const ZydisDecodedOperand *mask = &in->ops[1];
	const uint32_t number = (uint32_t)ZydisRegisterGetId(mask->reg.value);
	const uint32_t size = in->insn.mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD ||
					      in->insn.mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ
				      ? 8
				      : 4;
	const bool wide = op->size == 256;
	uint8_t insn[8] = { 0xc5, 0x7a, 0x7f };
	int32_t disp = trap_displacement(b, sizeof(insn));

	insn[1] |= (uint8_t)((number < 8 ? 0x80 : 0) | (wide ? 0x04 : 0));
	insn[3] = (uint8_t)((number & 7) << 3 | 0x05);
	memcpy(insn + 4, &disp, sizeof(disp));
	if (mask->type != ZYDIS_OPERAND_TYPE_REGISTER || number > 15 ||
	    trap_copy_run(b, insn, sizeof(insn), in->uc, true))
		return false;
	*out = (struct trap_elements){ size, op->size / 8u / size, 0 };
	for (uint32_t i = 0; i < out->count; i++)
		out->active |= (uint64_t)(b->operand[(i + 1) * size - 1] >> 7) << i;
	return true;
}

/* What is active lies in memory side by side. */
static bool is_packed(const struct trap_insn *in)
{
	return in->insn.meta.category == ZYDIS_CATEGORY_COMPRESS ||
	       in->insn.meta.category == ZYDIS_CATEGORY_EXPAND;
}

static uint64_t low_bits(uint32_t count)
{
	return count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

bool trap_elements(const struct trap_bench *b, const struct trap_insn *in,
		   const ZydisDecodedOperand *op, struct trap_elements *out)
{
	const ZydisRegister reg = in->insn.avx.mask.reg;
	uint64_t mask;

	*out = (struct trap_elements){ op->size / 8u, 1, 1 };
	if (has_vector_mask(in))
		return read_vector_mask(b, in, op, out);
	if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_K0)
		return true;
	if (!read_mask(b, in, reg, &mask))
		return false;
	if (in->insn.avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID) {
		out->active = (mask & low_bits(in->ops[0].element_count)) != 0;
		return true;
	}
	if (!op->element_size || op->element_size % 8 || op->element_count > 64)
		return false;
	mask &= low_bits(op->element_count);
	if (is_packed(in))
		mask = low_bits((uint32_t)__builtin_popcountll(mask));
	*out = (struct trap_elements){ op->element_size / 8u, op->element_count, mask };
	return out->size * out->count <= TRAP_MAX_OPERAND;
}

int trap_move_elements(uintptr_t addr, uint8_t *operand, const struct trap_elements *e, bool writes,
		       struct trap_fault *fault)
{
	int ret = 0;

	/* Neighbours travel together. */
	for (uint32_t i = 0, n; !ret && i < e->count; i += n) {
		uint64_t active = e->active >> i;
		uint8_t *at = operand + i * e->size;

		n = active & 1 ? (uint32_t)(~active ? __builtin_ctzll(~active) : 64) : 1;
		n = n < e->count - i ? n : e->count - i;
		if (!(active & 1))
			continue;
		ret = writes ? trap_store(addr + i * e->size, at, n * e->size, fault)
			     : trap_load(addr + i * e->size, at, n * e->size, fault);
	}
	return ret;
}
