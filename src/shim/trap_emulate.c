/* SPDX-License-Identifier: MIT */
/*
 * One instruction that has faulted.
 *
 * Nearly every instruction names its memory by a ModRM byte. Its copy names the operand of the
 * bench instead, relative to the instruction pointer: prefixes that change where memory lies, the
 * SIB byte and the displacement go, and a displacement of 4 bytes comes in. The rest of it, all
 * that says what it does, stays as it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/prctl.h>

#include "shim/trap_insn.h"
#include "util/usermem.h"

#define PAGE 4096u

static ZydisDecoder decoder;

int trap_emulate_start(void)
{
	return ZYAN_SUCCESS(
		       ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))
		       ? 0
		       : -EOPNOTSUPP;
}

/* ---- registers ---- */

greg_t *trap_register(ucontext_t *uc, ZydisRegister reg)
{
	/* In the order of the processor's numbers. */
	static const uint8_t places[16] = {
		REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};
	ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (wide < ZYDIS_REGISTER_RAX || wide > ZYDIS_REGISTER_R15)
		return NULL;
	return &uc->uc_mcontext.gregs[places[wide - ZYDIS_REGISTER_RAX]];
}

static uint64_t value_of(struct trap_insn *in, ZydisRegister reg)
{
	const greg_t *r = trap_register(in->uc, reg);

	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return in->next;
	if (!r)
		return 0;
	return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR8 ? (uint8_t)*r : (uint64_t)*r;
}

static uint64_t segment_base(ZydisRegister segment)
{
	unsigned long base = 0;

	if (segment == ZYDIS_REGISTER_FS)
		syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
	else if (segment == ZYDIS_REGISTER_GS)
		syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
	return base;
}

uintptr_t trap_address(struct trap_insn *in, const ZydisDecodedOperand *op)
{
	const ZydisDecodedOperandMem *mem = &op->mem;
	uint64_t addr = (uint64_t)mem->disp.value;

	if (mem->base != ZYDIS_REGISTER_NONE)
		addr += value_of(in, mem->base);
	if (mem->index != ZYDIS_REGISTER_NONE)
		addr += value_of(in, mem->index) * mem->scale;
	if (in->insn.address_width == 32)
		addr = (uint32_t)addr;
	return addr + segment_base(mem->segment);
}

/* ---- decoding ---- */

static bool decode(struct trap_insn *in)
{
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&decoder, in->bytes, in->fetched, &in->insn, in->ops));
}

/* The processor has just read it there. What follows it may lie in a page that is not there. */
static int fetch(struct trap_insn *in)
{
	const uint8_t *rip = (const uint8_t *)in->uc->uc_mcontext.gregs[REG_RIP];
	size_t left = PAGE - (uintptr_t)rip % PAGE;
	bool cut = left < sizeof(in->bytes);

	in->fetched = cut ? left : sizeof(in->bytes);
	memcpy(in->bytes, rip, in->fetched);
	if (!decode(in)) {
		if (!cut || dfd_copy_in(in->bytes + left, rip + left, sizeof(in->bytes) - left))
			return -EOPNOTSUPP;
		in->fetched = sizeof(in->bytes);
		if (!decode(in))
			return -EOPNOTSUPP;
	}
	in->next = (uintptr_t)rip + in->insn.length;
	return 0;
}

/* The one operand that the ModRM byte names, or NULL. */
static const ZydisDecodedOperand *memory_operand(const struct trap_insn *in)
{
	for (unsigned int i = 0; i < in->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &in->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    op->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			return op->mem.type == ZYDIS_MEMOP_TYPE_MEM ? op : NULL;
	}
	return NULL;
}

static bool is_general(ZydisRegister reg)
{
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
	case ZYDIS_REGCLASS_FLAGS:
	case ZYDIS_REGCLASS_IP:
		return true;
	default:
		return false;
	}
}

/* Does it use more than general registers and flags? */
static bool uses_vectors(const struct trap_insn *in)
{
	if (in->insn.meta.isa_ext == ZYDIS_ISA_EXT_X87)
		return true;
	for (unsigned int i = 0; i < in->insn.operand_count; i++) {
		if (in->ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    !is_general(in->ops[i].reg.value))
			return true;
	}
	return false;
}

/* What would change the handler's own surroundings, or go somewhere else. */
static bool leaves_frame(const struct trap_insn *in)
{
	if (in->insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
		return true;
	for (unsigned int i = 0; i < in->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &in->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetClass(op->reg.value) == ZYDIS_REGCLASS_SEGMENT)
			return true;
	}
	return false;
}

/* ---- the copy ---- */

static bool moves_memory(uint8_t prefix)
{
	switch (prefix) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x67:
		return true;
	default:
		return false;
	}
}

/* Prefixes, up to the opcode, without those that say where memory lies. */
static size_t copy_prefixes(const struct trap_insn *in, uint8_t *out)
{
	size_t n = 0;

	for (unsigned int i = 0; i < in->insn.raw.prefix_count; i++) {
		if (!moves_memory(in->insn.raw.prefixes[i].value))
			out[n++] = in->insn.raw.prefixes[i].value;
	}
	return n;
}

/* mov between the accumulator and an address in the instruction: there is a form with ModRM. */
static size_t copy_absolute(const struct trap_bench *b, const struct trap_insn *in, uint8_t *out)
{
	static const uint8_t with_modrm[] = { 0x8a, 0x8b, 0x88, 0x89 };
	size_t n = copy_prefixes(in, out);
	int32_t disp = trap_displacement(b, n + 6);

	out[n++] = with_modrm[in->insn.opcode - 0xa0];
	out[n++] = 0x05;
	memcpy(out + n, &disp, sizeof(disp));
	return n + sizeof(disp);
}

/* Return: the length of the copy, 0 where there is none. */
static size_t copy_insn(const struct trap_bench *b, const struct trap_insn *in, uint8_t *out)
{
	const ZydisDecodedInstruction *insn = &in->insn;
	size_t prefixes = insn->raw.prefix_count, modrm = insn->raw.modrm.offset, rest, tail, n;
	int32_t disp;

	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode >= 0xa0 &&
	    insn->opcode <= 0xa3 && insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return copy_absolute(b, in, out);
	if (!(insn->attributes & ZYDIS_ATTRIB_HAS_MODRM) || modrm < prefixes)
		return 0;
	rest = modrm + 1 + !!(insn->attributes & ZYDIS_ATTRIB_HAS_SIB) + insn->raw.disp.size / 8;
	tail = insn->length - rest;
	n = copy_prefixes(in, out);
	if (n + (modrm - prefixes) + 1 + sizeof(disp) + tail > TRAP_MAX_INSN)
		return 0;
	memcpy(out + n, in->bytes + prefixes, modrm - prefixes);
	n += modrm - prefixes;
	out[n++] = (uint8_t)((in->bytes[modrm] & 0x38) | 0x05);
	disp = trap_displacement(b, n + sizeof(disp) + tail);
	memcpy(out + n, &disp, sizeof(disp));
	n += sizeof(disp);
	memcpy(out + n, in->bytes + rest, tail);
	return n + tail;
}

/* ---- bits in memory: a register may name one far from the operand ---- */

static bool is_bit_string(const struct trap_insn *in)
{
	ZydisMnemonic m = in->insn.mnemonic;

	return (m == ZYDIS_MNEMONIC_BT || m == ZYDIS_MNEMONIC_BTS || m == ZYDIS_MNEMONIC_BTR ||
		m == ZYDIS_MNEMONIC_BTC) &&
	       in->ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/* Return: how far, in bytes. The register then names a bit of the operand until @saved is back. */
static int64_t bit_distance(struct trap_insn *in, greg_t *saved)
{
	greg_t *reg = trap_register(in->uc, in->ops[1].reg.value);
	int64_t bit = *reg, width = in->ops[0].size;

	*saved = *reg;
	if (width == 16)
		bit = (int16_t)bit;
	else if (width == 32)
		bit = (int32_t)bit;
	*reg = bit & (width - 1);
	return (bit - (bit & (width - 1))) / 8;
}

/* ---- doing it ---- */

static int run_copy(const struct trap_bench *b, struct trap_insn *in, const ZydisDecodedOperand *op,
		    uintptr_t addr, struct trap_fault *fault)
{
	size_t len = copy_insn(b, in, in->copy), size = op->size / 8;
	struct trap_elements active;
	int ret = 0;

	if (!len || !size || size > TRAP_MAX_OPERAND || !trap_elements(b, in, op, &active))
		return -EOPNOTSUPP;
	if (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		ret = trap_move_elements(addr, b->operand, &active, false, fault);
	if (!ret)
		ret = trap_copy_run(b, in->copy, len, in->uc, uses_vectors(in));
	if (!ret && (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		ret = trap_move_elements(addr, b->operand, &active, true, fault);
	return ret;
}

static int with_operand(const struct trap_bench *b, struct trap_insn *in,
			const ZydisDecodedOperand *op, struct trap_fault *fault)
{
	uintptr_t addr = trap_address(in, op);
	ucontext_t before;
	greg_t saved;
	int ret;

	if (leaves_frame(in))
		return -EOPNOTSUPP;
	if (is_bit_string(in)) {
		addr += (uintptr_t)bit_distance(in, &saved);
		ret = run_copy(b, in, op, addr, fault);
		*trap_register(in->uc, in->ops[1].reg.value) = saved;
		return ret;
	}
	memcpy(before.uc_mcontext.gregs, in->uc->uc_mcontext.gregs,
	       sizeof(before.uc_mcontext.gregs));
	ret = run_copy(b, in, op, addr, fault);
	if (ret)
		memcpy(in->uc->uc_mcontext.gregs, before.uc_mcontext.gregs,
		       sizeof(before.uc_mcontext.gregs));
	return ret;
}

/* A cache holds nothing of registers. */
static bool is_about_caches(const struct trap_insn *in)
{
	switch (in->insn.mnemonic) {
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
	case ZYDIS_MNEMONIC_CLDEMOTE:
		return true;
	default:
		return false;
	}
}

static int emulate(const struct trap_bench *b, struct trap_insn *in, struct trap_fault *fault)
{
	const ZydisDecodedOperand *op = memory_operand(in);
	bool again = false;
	int ret = 0;

	if (is_about_caches(in))
		op = NULL;
	else if (trap_is_string(in))
		ret = trap_string(b, in, fault, &again);
	else if (trap_is_stack(in))
		return op ? trap_stack(in, op, fault) : -EOPNOTSUPP;
	else
		ret = op ? with_operand(b, in, op, fault) : -EOPNOTSUPP;
	if (!ret && !again)
		in->uc->uc_mcontext.gregs[REG_RIP] = (greg_t)in->next;
	return ret;
}

/* ---- what cannot be done ---- */

static void explain(const struct trap_insn *in, char *why, size_t size)
{
	size_t count = in->insn.length ? in->insn.length : in->fetched, n = 0;
	char text[128] = "unknown";
	ZydisFormatter formatter;

	if (in->insn.length &&
	    ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)))
		ZydisFormatterFormatInstruction(&formatter, &in->insn, in->ops,
						in->insn.operand_count_visible, text, sizeof(text),
						(ZyanU64)in->uc->uc_mcontext.gregs[REG_RIP], NULL);
	n = (size_t)snprintf(why, size, "\"%s\" (", text);
	for (size_t i = 0; i < count && n < size; i++)
		n += (size_t)snprintf(why + n, size - n, "%s%02x", i ? " " : "", in->bytes[i]);
	if (n < size)
		snprintf(why + n, size - n, ")");
}

int trap_emulate(const struct trap_bench *b, ucontext_t *uc, struct trap_fault *fault, char *why,
		 size_t size)
{
	struct trap_insn in = { .uc = uc };
	int ret = fetch(&in);

	if (ret)
		in.insn.length = 0;
	else
		ret = emulate(b, &in, fault);
	if (ret == -EOPNOTSUPP)
		explain(&in, why, size);
	return ret;
}
