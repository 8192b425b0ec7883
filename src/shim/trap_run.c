/* SPDX-License-Identifier: MIT */
/*
 * The private copy of an instruction.
 *
 * Theory of operation: a bench begins with two pages. The first is a copy of the code below, with
 * room for one instruction in its middle; the second is its data. All of it is reached relative to
 * the instruction pointer, and so is the operand of the copied instruction, because every register
 * is the program's by then, the stack pointer included. Signals are blocked, so nobody looks.
 */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/trap.h"

#define CODE_SIZE  4096u
#define DATA_SIZE  4096u
#define STACK_SIZE (256u << 10)
#define GUARD_SIZE 4096u
#define ROOM	   16u

/* Bits of the flags that instructions of a program read and write. */
#define ARITHMETIC UINT64_C(0x8d5)
#define DIRECTION  UINT64_C(0x400)
#define ALWAYS_ONE UINT64_C(2)

/* Vectors and floating point, but not the keys of memory protection, which are the handler's. */
#define XFEATURE_PKRU (UINT64_C(1) << 9)
#define XSTATE_MAGIC  0x46505853u

/** struct bench_data - the page of data, as the code below knows it */
struct bench_data {
	uint64_t regs[18]; /* as in mcontext_t: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp */
	uint64_t stack;
	uint64_t xstate;
	uint64_t xmask;
	uint8_t before[88];
	uint8_t operand[TRAP_MAX_OPERAND];
};
_Static_assert(offsetof(struct bench_data, stack) == 144, "as in the code below");
_Static_assert(offsetof(struct bench_data, operand) == 256, "aligned as the widest operand");
_Static_assert(REG_R8 == 0 && REG_RDI == 8 && REG_RSP == 15 && REG_EFL == 17, "as below");

__asm__("	.pushsection .text\n"
	"	.balign 64\n"
	"trap_frame:\n"
	"	.set data, trap_frame + 4096\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, data + 144(%rip)\n"
	"	mov data + 152(%rip), %rdi\n"
	"	test %rdi, %rdi\n"
	"	jz 1f\n"
	"	mov data + 160(%rip), %eax\n"
	"	mov data + 164(%rip), %edx\n"
	"	xrstor64 (%rdi)\n"
	"1:	push data + 136(%rip)\n"
	"	popfq\n"
	"	mov data + 0(%rip), %r8\n"
	"	mov data + 8(%rip), %r9\n"
	"	mov data + 16(%rip), %r10\n"
	"	mov data + 24(%rip), %r11\n"
	"	mov data + 32(%rip), %r12\n"
	"	mov data + 40(%rip), %r13\n"
	"	mov data + 48(%rip), %r14\n"
	"	mov data + 56(%rip), %r15\n"
	"	mov data + 64(%rip), %rdi\n"
	"	mov data + 72(%rip), %rsi\n"
	"	mov data + 80(%rip), %rbp\n"
	"	mov data + 88(%rip), %rbx\n"
	"	mov data + 96(%rip), %rdx\n"
	"	mov data + 104(%rip), %rax\n"
	"	mov data + 112(%rip), %rcx\n"
	"	mov data + 120(%rip), %rsp\n"
	"trap_frame_room:\n"
	"	.fill 16, 1, 0x90\n"
	"	mov %rsp, data + 120(%rip)\n"
	"	mov data + 144(%rip), %rsp\n"
	"	mov %r8, data + 0(%rip)\n"
	"	mov %r9, data + 8(%rip)\n"
	"	mov %r10, data + 16(%rip)\n"
	"	mov %r11, data + 24(%rip)\n"
	"	mov %r12, data + 32(%rip)\n"
	"	mov %r13, data + 40(%rip)\n"
	"	mov %r14, data + 48(%rip)\n"
	"	mov %r15, data + 56(%rip)\n"
	"	mov %rdi, data + 64(%rip)\n"
	"	mov %rsi, data + 72(%rip)\n"
	"	mov %rbp, data + 80(%rip)\n"
	"	mov %rbx, data + 88(%rip)\n"
	"	mov %rdx, data + 96(%rip)\n"
	"	mov %rax, data + 104(%rip)\n"
	"	mov %rcx, data + 112(%rip)\n"
	"	pushfq\n"
	"	pop data + 136(%rip)\n"
	"	cld\n"
	"	mov data + 152(%rip), %rdi\n"
	"	test %rdi, %rdi\n"
	"	jz 1f\n"
	"	mov data + 160(%rip), %eax\n"
	"	mov data + 164(%rip), %edx\n"
	"	xsave64 (%rdi)\n"
	"	fninit\n" /* what C code expects */
	"	push $0x1f80\n"
	"	ldmxcsr (%rsp)\n"
	"	pop %rax\n"
	"1:	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	"trap_frame_end:\n"
	"	.popsection\n");

extern const uint8_t trap_frame[], trap_frame_room[], trap_frame_end[];

/* Labels of one piece of code, though C has no way to say so. */
static size_t in_frame(const uint8_t *label)
{
	return (uintptr_t)label - (uintptr_t)trap_frame;
}

/* ---- benches: one for each device that has such memory, for as long as the process lives ---- */

static struct trap_bench benches[SHIM_MAX_MOUNTS];

static int set_up(struct trap_bench *b)
{
	const size_t size = CODE_SIZE + DATA_SIZE + GUARD_SIZE + STACK_SIZE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint8_t *start = NEXT(mmap)(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (start == MAP_FAILED)
		return -errno;
	memcpy(start, trap_frame, in_frame(trap_frame_end));
	if (NEXT(mprotect)(start, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    NEXT(mprotect)(start + CODE_SIZE + DATA_SIZE, GUARD_SIZE, PROT_NONE)) {
		int ret = -errno;

		NEXT(munmap)(start, size);
		return ret;
	}
	pthread_mutex_init(&b->lock, NULL);
	b->operand = start + CODE_SIZE + offsetof(struct bench_data, operand);
	b->stack_top = start + size;
	b->code = start;
	return 0;
}

struct trap_bench *trap_bench_of(const struct shim_mount *m)
{
	struct trap_bench *b = &benches[m->number - 1];

	return b->code || !shim_result(set_up(b)) ? b : NULL;
}

void trap_bench_lock_all(bool lock)
{
	for (unsigned int i = 0; i < SHIM_MAX_MOUNTS; i++) {
		if (benches[i].code && lock)
			shim_mutex_lock(&benches[i].lock);
		else if (benches[i].code)
			shim_mutex_unlock(&benches[i].lock);
	}
}

void trap_on_stack(const struct trap_bench *b, void (*fn)(void *), void *arg)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %[top], %%rsp\n\t"
			 "call *%[fn]\n\t"
			 "mov %%rbx, %%rsp"
			 : [fn] "+a"(fn), "+D"(arg)
			 : [top] "r"(b->stack_top)
			 : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory",
			   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* ---- running ---- */

/* The kernel keeps them beside the frame of the signal, in the form of XSAVE, and says so. */
static bool find_xstate(const ucontext_t *uc, struct bench_data *data)
{
	const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t magic;
	uint64_t features;

	if (!fp)
		return false;
	memcpy(&magic, fp + 464, sizeof(magic));
	memcpy(&features, fp + 472, sizeof(features));
	data->xstate = (uintptr_t)fp;
	data->xmask = features & ~XFEATURE_PKRU;
	return magic == XSTATE_MAGIC;
}

int trap_copy_run(const struct trap_bench *b, const uint8_t *insn, size_t len, ucontext_t *uc,
		  bool vectors)
{
	struct bench_data *data = (struct bench_data *)(b->code + CODE_SIZE);
	uint8_t *room = b->code + in_frame(trap_frame_room);
	greg_t *regs = uc->uc_mcontext.gregs;
	void (*run)(void);
	uint64_t flags = (uint64_t)regs[REG_EFL];

	data->xstate = 0;
	if (vectors && !find_xstate(uc, data))
		return -EOPNOTSUPP;
	memcpy(data->regs, regs, sizeof(data->regs));
	data->regs[REG_EFL] = (flags & (ARITHMETIC | DIRECTION)) | ALWAYS_ONE;
	memcpy(room, insn, len);
	memset(room + len, 0x90, ROOM - len);
	memcpy(&run, &b->code, sizeof(run));
	run();
	memcpy(regs, data->regs, REG_RIP * sizeof(*regs));
	regs[REG_EFL] = (greg_t)((flags & ~ARITHMETIC) | (data->regs[REG_EFL] & ARITHMETIC));
	return 0;
}

int32_t trap_displacement(const struct trap_bench *b, size_t len)
{
	return (int32_t)(b->operand - (b->code + in_frame(trap_frame_room) + len));
}

uintptr_t trap_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
}
