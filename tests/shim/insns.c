/* SPDX-License-Identifier: MIT */
/*
 * Instructions on registers of a device do what they do on memory.
 * usage: insns SHAPES: the path of a model:shapes, under `devfd run`
 *
 * Each form in insns.inc is executed on plain memory and on a part of BAR 0 that is memory in the
 * device but not mapped as such, from the same registers, flags and bytes. Afterwards all of them
 * must be the same: general registers, flags, vector and mask registers, and the bytes as pread()
 * sees them.
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BAR0	 ((off_t)1 << 40)
#define MEMORY	 0x4000 /* in BAR 0: not in an area that can be mapped as shared memory */
#define LEN	 0x1000
#define WINDOW	 512
#define CENTRE	 256 /* where rdi points in the window */
#define ROUNDS	 12
#define NUM_REGS 15

/* What a form needs of the processor. */
enum need { BASE, AVX, AVX2, AVX512, MOVBE, BMI2, ADX, SSE42, FMA, F16C, MOVDIRI, GFNI };

struct form {
	const void *code;
	const char *text;
	uint64_t need;
};

#define FORM(need, text)                                                                           \
	__asm__(".pushsection .text\n1:\t" text "\n\tret\n.popsection\n"                           \
		".pushsection .rodata\n2:\t.asciz \"" text "\"\n.popsection\n"                     \
		".pushsection forms,\"aw\"\n\t.quad 1b, 2b, " #need "\n.popsection\n");
#define F(text)	    FORM(0, text)
#define AVX_(t)	    FORM(1, t)
#define AVX2_(t)    FORM(2, t)
#define AVX512_(t)  FORM(3, t)
#define MOVBE_(t)   FORM(4, t)
#define BMI2_(t)    FORM(5, t)
#define ADX_(t)	    FORM(6, t)
#define SSE42_(t)   FORM(7, t)
#define FMA_(t)	    FORM(8, t)
#define F16C_(t)    FORM(9, t)
#define MOVDIRI_(t) FORM(10, t)
#define GFNI_(t)    FORM(11, t)
#include "insns.inc"

extern const struct form __start_forms[], __stop_forms[];

/* rax rcx rdx rbx rbp rsi rdi r8-r15, flags; then vectors. */
struct state {
	uint64_t regs[NUM_REGS];
	uint64_t flags;
	_Alignas(64) uint8_t vectors[16][64];
	uint64_t masks[8];
};

/* run_form(code, state, level): 0: xmm, 1: ymm, 2: zmm and masks */
void run_form(const void *code, struct state *s, int level);
#define ALL_XMM(x)  x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7)
#define LOAD_XMM(n) "movdqa 128+64*" #n "(%rsi), %xmm" #n "\n"
#define SAVE_XMM(n) "movdqa %xmm" #n ", 128+64*" #n "(%rsi)\n"
#define LOAD_YMM(n) "vmovdqa 128+64*" #n "(%rsi), %ymm" #n "\n"
#define SAVE_YMM(n) "vmovdqa %ymm" #n ", 128+64*" #n "(%rsi)\n"
#define LOAD_ZMM(n)                                                                                \
	"vmovdqa64 128+64*" #n "(%rsi), %zmm" #n "\nkmovq 1152+8*" #n "(%rsi), %k" #n "\n"
#define SAVE_ZMM(n)                                                                                \
	"vmovdqa64 %zmm" #n ", 128+64*" #n "(%rsi)\nkmovq %k" #n ", 1152+8*" #n "(%rsi)\n"
_Static_assert(offsetof(struct state, vectors) == 128, "as below");
_Static_assert(offsetof(struct state, masks) == 1152, "as below");

__asm__(".pushsection .text\n"
	"run_form:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"push %rdx\npush %rsi\npush %rdi\n"
	"cmp $1, %edx\nja 2f\nje 1f\n" ALL_XMM(
		LOAD_XMM) "jmp 3f\n"
			  "1:" ALL_XMM(
				  LOAD_YMM) "jmp 3f\n"
					    "2:" ALL_XMM(
						    LOAD_ZMM) "3:\n"
							      "push 120(%rsi)\npopfq\n"
							      "mov 0(%rsi), %rax\nmov 8(%rsi), "
							      "%rcx\nmov 16(%rsi), %rdx\nmov "
							      "24(%rsi), %rbx\n"
							      "mov 32(%rsi), %rbp\nmov 48(%rsi), "
							      "%rdi\nmov 56(%rsi), %r8\nmov "
							      "64(%rsi), %r9\n"
							      "mov 72(%rsi), %r10\nmov 80(%rsi), "
							      "%r11\nmov 88(%rsi), %r12\nmov "
							      "96(%rsi), %r13\n"
							      "mov 104(%rsi), %r14\nmov 112(%rsi), "
							      "%r15\nmov 40(%rsi), %rsi\n"
							      "call *(%rsp)\n"
							      "push %rsi\nmov 16(%rsp), %rsi\n"
							      "mov %rax, 0(%rsi)\nmov %rcx, "
							      "8(%rsi)\nmov %rdx, 16(%rsi)\nmov "
							      "%rbx, 24(%rsi)\n"
							      "mov %rbp, 32(%rsi)\nmov %rdi, "
							      "48(%rsi)\nmov %r8, 56(%rsi)\nmov "
							      "%r9, 64(%rsi)\n"
							      "mov %r10, 72(%rsi)\nmov %r11, "
							      "80(%rsi)\nmov %r12, 88(%rsi)\nmov "
							      "%r13, 96(%rsi)\n"
							      "mov %r14, 104(%rsi)\nmov %r15, "
							      "112(%rsi)\npop 40(%rsi)\n"
							      "pushfq\npop 120(%rsi)\ncld\n"
							      "mov 16(%rsp), %rdx\n"
							      "cmp $1, %edx\nja 2f\nje "
							      "1f\n" ALL_XMM(
								      SAVE_XMM) "jmp 3f\n"
										"1:" ALL_XMM(
											SAVE_YMM) "vzeroupper\njmp 3f\n"
												  "2:" ALL_XMM(
													  SAVE_ZMM) "vzeroupper\n3:\n"
														    "add $24, %rsp\n"
														    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
														    ".popsection\n");

static int fd;
static uint8_t *plain, *registers;
static int level, failures;

static bool has(enum need need)
{
	switch (need) {
	case BASE:
		return true;
	case AVX:
		return __builtin_cpu_supports("avx");
	case AVX2:
		return __builtin_cpu_supports("avx2");
	case AVX512:
		return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512dq");
	case BMI2:
		return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
	case SSE42:
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	case FMA:
		return __builtin_cpu_supports("fma");
	default:
		break;
	}
	unsigned int a, b, c = 0, d, b7 = 0, c7 = 0;

	__get_cpuid(1, &a, &b, &c, &d);
	__get_cpuid_count(7, 0, &a, &b7, &d, &a);
	__get_cpuid_count(7, 0, &a, &b7, &c7, &d);
	switch (need) {
	case MOVBE:
		return c >> 22 & 1;
	case F16C:
		return c >> 29 & 1;
	case ADX:
		return b7 >> 19 & 1;
	case MOVDIRI:
		return c7 >> 27 & 1;
	default:
		return (c7 >> 8 & 1) && has(AVX);
	}
}

/* Small, large, and in between: what makes flags differ. */
static uint64_t number(void)
{
	static const uint64_t edges[] = { 0,	      1,	  0x7f,	     0x80,
					  0xff,	      0x7fff,	  0x8000,    0x7fffffff,
					  0x80000000, 0xffffffff, INT64_MAX, (uint64_t)INT64_MIN,
					  UINT64_MAX };
	uint64_t r = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();

	return r % 3 ? r : edges[r / 3 % (sizeof(edges) / sizeof(*edges))];
}

static void fill(struct state *s, uint8_t bytes[WINDOW])
{
	for (int i = 0; i < NUM_REGS; i++)
		s->regs[i] = number();
	s->flags = 0x202 | (number() & 0x8d5);
	for (size_t i = 0; i < sizeof(s->vectors); i += 8)
		memcpy((uint8_t *)s->vectors + i, &(uint64_t){ number() }, 8);
	for (int i = 0; i < 8; i++)
		s->masks[i] = number();
	for (size_t i = 0; i < WINDOW; i += 8)
		memcpy(bytes + i, &(uint64_t){ number() }, 8);
}

/* Addresses differ by where the memory is, and so do registers that hold them. */
static void relative(struct state *s, const uint8_t *base)
{
	for (int i = 0; i < NUM_REGS; i++) {
		uint64_t distance = s->regs[i] - (uintptr_t)base;

		if (distance < LEN)
			s->regs[i] = distance;
	}
}

static void execute(const struct form *f, struct state *s, uint8_t *base)
{
	s->regs[6] = (uintptr_t)base + CENTRE;
	s->regs[7] = (uintptr_t)base + CENTRE - 8 * 16; /* r8, with r9 as an index */
	s->regs[8] = 16;
	syscall(SYS_arch_prctl, ARCH_SET_GS, base + CENTRE);
	run_form(f->code, s, level);
	relative(s, base);
}

static void differs(const struct form *f, const char *what, uint64_t wanted, uint64_t got)
{
	if (failures++ < 20)
		fprintf(stderr, "%s: %s is 0x%llx, on memory 0x%llx\n", f->text, what,
			(unsigned long long)got, (unsigned long long)wanted);
}

static void compare(const struct form *f, const struct state *a, const struct state *b)
{
	static const char *const names[NUM_REGS] = { "rax", "rcx", "rdx", "rbx", "rbp",
						     "rsi", "rdi", "r8",  "r9",	 "r10",
						     "r11", "r12", "r13", "r14", "r15" };
	const uint64_t *va = (const uint64_t *)a->vectors, *vb = (const uint64_t *)b->vectors;

	for (int i = 0; i < NUM_REGS; i++) {
		if (a->regs[i] != b->regs[i])
			differs(f, names[i], a->regs[i], b->regs[i]);
	}
	if (a->flags != b->flags)
		differs(f, "rflags", a->flags, b->flags);
	for (size_t i = 0; i < sizeof(a->vectors) / 8; i++) {
		if (va[i] != vb[i])
			differs(f, "a vector register", va[i], vb[i]);
	}
	for (int i = 0; i < 8; i++) {
		if (a->masks[i] != b->masks[i])
			differs(f, "a mask register", a->masks[i], b->masks[i]);
	}
}

static void compare_memory(const struct form *f)
{
	uint8_t device[WINDOW];

	if (pread(fd, device, WINDOW, BAR0 + MEMORY) != WINDOW) {
		perror("pread");
		exit(1);
	}
	for (size_t i = 0; i < WINDOW; i++) {
		if (plain[i] != device[i]) {
			char what[40];

			snprintf(what, sizeof(what), "byte %zd of memory", (ssize_t)i - CENTRE);
			differs(f, what, plain[i], device[i]);
			return;
		}
	}
}

static void check(const struct form *f)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct state on_memory, on_registers;
		uint8_t bytes[WINDOW];

		memset(&on_memory, 0, sizeof(on_memory));
		fill(&on_memory, bytes);
		on_registers = on_memory;
		memcpy(plain, bytes, WINDOW);
		if (pwrite(fd, bytes, WINDOW, BAR0 + MEMORY) != WINDOW) {
			perror("pwrite");
			exit(1);
		}
		execute(f, &on_memory, plain);
		execute(f, &on_registers, registers);
		compare(f, &on_memory, &on_registers);
		compare_memory(f);
	}
}

int main(int argc, char **argv)
{
	const struct form *only = NULL;
	unsigned int done = 0, lacking = 0;
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	/* Low, for addresses of 32 bits. */
	plain = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
		     0);
	registers =
		mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_32BIT, fd, BAR0 + MEMORY);
	/* Some forms use the stack pointer for something else. */
	if (plain == MAP_FAILED || registers == MAP_FAILED || sigaltstack(&stack, NULL)) {
		perror(argc > 1 ? argv[1] : "usage");
		return 1;
	}
	level = has(AVX512) ? 2 : has(AVX);
	for (const struct form *f = __start_forms; f < __stop_forms; f++) {
		if (argc > 2 && strcmp(argv[2], f->text))
			continue;
		only = f;
		if (!has((enum need)f->need)) {
			lacking++;
			continue;
		}
		check(f);
		done++;
	}
	printf("%u forms are the same, %u this processor lacks, %d differences\n", done, lacking,
	       failures);
	return failures || !only;
}
