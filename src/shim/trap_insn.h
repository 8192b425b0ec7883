/* SPDX-License-Identifier: MIT */
/* An instruction that is being emulated: what the files that do it share. */
#ifndef SHIM_TRAP_INSN_H
#define SHIM_TRAP_INSN_H

#include <Zydis/Zydis.h>

#include "shim/trap.h"

/**
 * struct trap_insn - an instruction and the registers that it works on
 * @next: the address behind it
 * @copy: the one that is run
 */
struct trap_insn {
	ucontext_t *uc;
	uint8_t bytes[TRAP_MAX_INSN];
	size_t fetched;
	uintptr_t next;
	uint8_t copy[2 * TRAP_MAX_INSN];
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

/** trap_register() - Return: where a general register of any width is kept, NULL for another one */
greg_t *trap_register(ucontext_t *uc, ZydisRegister reg);

/** trap_address() - Return: what address a memory operand means */
uintptr_t trap_address(struct trap_insn *in, const ZydisDecodedOperand *op);

/* ---- trap_mask.c ---- */

/** struct trap_elements - the elements of an operand, and which of them are accessed */
struct trap_elements {
	uint32_t size;
	uint32_t count;
	uint64_t active;
};

/** trap_elements() - Return: false where it cannot be told which elements are accessed */
bool trap_elements(const struct trap_bench *b, const struct trap_insn *in,
		   const ZydisDecodedOperand *op, struct trap_elements *out);

/** trap_move_elements() - load or store those elements. Return: as trap_load() */
int trap_move_elements(uintptr_t addr, uint8_t *operand, const struct trap_elements *e, bool writes,
		       struct trap_fault *fault);

/* ---- trap_string.c; Return: as trap_emulate(), but the instruction pointer stays ---- */

bool trap_is_string(const struct trap_insn *in);
/** trap_string() - @again: it is not through, and is to be executed again */
int trap_string(const struct trap_bench *b, struct trap_insn *in, struct trap_fault *fault,
		bool *again);

bool trap_is_stack(const struct trap_insn *in);
/** trap_stack() - push, pop, call and jmp; sets the instruction pointer */
int trap_stack(struct trap_insn *in, const ZydisDecodedOperand *op, struct trap_fault *fault);

#endif
