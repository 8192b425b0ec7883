/* SPDX-License-Identifier: MIT */
/*
 * Instructions that walk through memory by themselves (movs, stos, lods, cmps, scas, with and
 * without rep), and those that use the stack besides their memory operand.
 */
#include <string.h>

#include "shim/trap_insn.h"

/* Repetitions until signals get a chance: an interrupted rep goes on where it was. */
#define MAX_STEPS 1024u

#define ZERO_FLAG 0x40

/* ---- strings ---- */

bool trap_is_string(const struct trap_insn *in)
{
	return in->insn.meta.category == ZYDIS_CATEGORY_STRINGOP ||
	       in->insn.mnemonic == ZYDIS_MNEMONIC_XLAT;
}

/* The operand that a register points to, or NULL where the instruction does not use it. */
static const ZydisDecodedOperand *operand_at(const struct trap_insn *in, ZydisRegister base)
{
	for (unsigned int i = 0; i < in->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &in->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->mem.base) ==
			    base)
			return op;
	}
	return NULL;
}

/* The table begins where rbx points to, and al is an index of one byte. */
static int xlat(struct trap_insn *in, struct trap_fault *fault)
{
	const ZydisDecodedOperand *op = operand_at(in, ZYDIS_REGISTER_RBX);
	ZydisDecodedOperand entry;

	if (!op)
		return -EOPNOTSUPP;
	entry = *op;
	entry.mem.index = ZYDIS_REGISTER_AL;
	entry.mem.scale = 1;
	return trap_load(trap_address(in, &entry), &in->uc->uc_mcontext.gregs[REG_RAX], 1, fault);
}

static void add_to(struct trap_insn *in, int reg, int64_t by)
{
	greg_t *r = &in->uc->uc_mcontext.gregs[reg];

	*r += by;
	if (in->insn.address_width == 32)
		*r = (uint32_t)*r;
}

/* The flags of a comparison are the processor's. @size bytes of @right are in the operand. */
static int compare(const struct trap_bench *b, struct trap_insn *in, uint64_t left, size_t size)
{
	static const uint8_t cmp[9][3] = {
		[1] = { 0x3a }, [2] = { 0x66, 0x3b }, [4] = { 0x3b }, [8] = { 0x48, 0x3b }
	};
	size_t n = cmp[size][1] ? 2 : 1;
	uint8_t insn[TRAP_MAX_INSN];
	ucontext_t uc;
	int32_t disp;

	memcpy(insn, cmp[size], n);
	insn[n++] = 0x05;
	disp = trap_displacement(b, n + sizeof(disp));
	memcpy(insn + n, &disp, sizeof(disp));
	memcpy(uc.uc_mcontext.gregs, in->uc->uc_mcontext.gregs, sizeof(uc.uc_mcontext.gregs));
	uc.uc_mcontext.gregs[REG_RAX] = (greg_t)left;
	if (trap_copy_run(b, insn, n + sizeof(disp), &uc, false))
		return -EOPNOTSUPP;
	in->uc->uc_mcontext.gregs[REG_EFL] = uc.uc_mcontext.gregs[REG_EFL];
	return 0;
}

/* lods keeps what is above 8 and 16 bits of the accumulator, and nothing above 32. */
static void set_accumulator(struct trap_insn *in, uint64_t value, size_t size)
{
	greg_t *rax = &in->uc->uc_mcontext.gregs[REG_RAX];

	if (size == 4)
		*rax = 0;
	memcpy(rax, &value, size);
}

/* One step. The registers move only when all of it has been done. */
static int step(const struct trap_bench *b, struct trap_insn *in, struct trap_fault *fault)
{
	const ZydisDecodedOperand *from = operand_at(in, ZYDIS_REGISTER_RSI),
				  *to = operand_at(in, ZYDIS_REGISTER_RDI);
	/* cppcheck-suppress nullPointerRedundantCheck ; a string instruction has one of them */
	size_t size = (from ? from : to)->size / 8;
	uint64_t value = (uint64_t)in->uc->uc_mcontext.gregs[REG_RAX];
	int64_t by = in->uc->uc_mcontext.gregs[REG_EFL] & 0x400 ? -(int64_t)size : (int64_t)size;
	int ret = from ? trap_load(trap_address(in, from), &value, size, fault) : 0;

	if (!ret && to && (to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
		ret = trap_store(trap_address(in, to), &value, size, fault);
	} else if (!ret && to) {
		ret = trap_load(trap_address(in, to), b->operand, size, fault);
		if (!ret)
			ret = compare(b, in, value, size);
	} else if (!ret) {
		set_accumulator(in, value, size);
	}
	if (ret)
		return ret;
	if (from)
		add_to(in, REG_RSI, by);
	if (to)
		add_to(in, REG_RDI, by);
	return 0;
}

static bool compares(const struct trap_insn *in)
{
	return in->insn.attributes & (ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

static bool found(const struct trap_insn *in)
{
	bool equal = in->uc->uc_mcontext.gregs[REG_EFL] & ZERO_FLAG;

	return compares(in) && equal == !!(in->insn.attributes & ZYDIS_ATTRIB_HAS_REPNE);
}

static uint64_t count_of(const struct trap_insn *in)
{
	uint64_t rcx = (uint64_t)in->uc->uc_mcontext.gregs[REG_RCX];

	return in->insn.address_width == 32 ? (uint32_t)rcx : rcx;
}

int trap_string(const struct trap_bench *b, struct trap_insn *in, struct trap_fault *fault,
		bool *again)
{
	int ret = 0;

	if (in->insn.mnemonic == ZYDIS_MNEMONIC_XLAT)
		return xlat(in, fault);
	if (!operand_at(in, ZYDIS_REGISTER_RSI) && !operand_at(in, ZYDIS_REGISTER_RDI))
		return -EOPNOTSUPP;
	if (!compares(in) && !(in->insn.attributes & ZYDIS_ATTRIB_HAS_REP))
		return step(b, in, fault);
	for (unsigned int i = 0; i < MAX_STEPS && count_of(in); i++) {
		ret = step(b, in, fault);
		if (ret)
			return ret;
		add_to(in, REG_RCX, -1);
		if (found(in))
			return 0;
	}
	*again = count_of(in);
	return 0;
}

/* ---- the stack ---- */

bool trap_is_stack(const struct trap_insn *in)
{
	switch (in->insn.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
		return true;
	default:
		return false;
	}
}

static int push(struct trap_insn *in, const void *value, size_t size, struct trap_fault *fault)
{
	greg_t *rsp = &in->uc->uc_mcontext.gregs[REG_RSP];
	int ret = trap_store((uintptr_t)*rsp - size, value, size, fault);

	if (!ret)
		*rsp -= (greg_t)size;
	return ret;
}

/* An address relative to the stack pointer is that after the pop. */
static int pop(struct trap_insn *in, const ZydisDecodedOperand *op, struct trap_fault *fault)
{
	greg_t *rsp = &in->uc->uc_mcontext.gregs[REG_RSP];
	size_t size = op->size / 8;
	uint64_t value = 0;
	int ret = trap_load((uintptr_t)*rsp, &value, size, fault);

	if (ret)
		return ret;
	*rsp += (greg_t)size;
	ret = trap_store(trap_address(in, op), &value, size, fault);
	if (ret)
		*rsp -= (greg_t)size;
	return ret;
}

int trap_stack(struct trap_insn *in, const ZydisDecodedOperand *op, struct trap_fault *fault)
{
	uintptr_t next = in->next;
	uint64_t value = 0;
	int ret;

	if (in->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || op->size > 64)
		return -EOPNOTSUPP;
	if (in->insn.mnemonic == ZYDIS_MNEMONIC_POP) {
		ret = pop(in, op, fault);
	} else {
		ret = trap_load(trap_address(in, op), &value, op->size / 8, fault);
		if (!ret && in->insn.mnemonic == ZYDIS_MNEMONIC_PUSH)
			ret = push(in, &value, op->size / 8, fault);
		else if (!ret && in->insn.mnemonic == ZYDIS_MNEMONIC_CALL)
			ret = push(in, &next, sizeof(next), fault);
		if (!ret && in->insn.mnemonic != ZYDIS_MNEMONIC_PUSH)
			next = value;
	}
	if (!ret)
		in->uc->uc_mcontext.gregs[REG_RIP] = (greg_t)next;
	return ret;
}
