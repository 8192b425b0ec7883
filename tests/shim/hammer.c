/* SPDX-License-Identifier: MIT */
/*
 * Threads that hammer registers in mapped memory, by calls and while others map and unmap.
 *
 * usage: hammer SHAPES: the path of that model, its registers being trapped
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR0	((off_t)1 << 40)
#define PAGE	4096u
#define MEMORY	0x4000u /* of shapes: memory that cannot be mapped as shared memory */
#define THREADS 4u
#define ROUNDS	2000u

static int fd;
static uint8_t *bar;

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "hammer: %s\n", what);
	exit(1);
}

/* Each has a word of its own, and all together one that they count up. */
static void *hammer(void *arg)
{
	const uint32_t number = (uint32_t)(uintptr_t)arg;
	volatile uint32_t *own = (volatile uint32_t *)(bar + MEMORY + 64 * number);
	volatile uint32_t *shared = (volatile uint32_t *)(bar + MEMORY + PAGE);

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		uint32_t seen = 0;

		*own = i;
		must(*own == i, "a register has another value than its only writer gave it");
		__asm__ volatile("lock incl %0" : "+m"(*shared));
		must(pread(fd, &seen, sizeof(seen), BAR0 + MEMORY + 64 * number) == sizeof(seen) &&
			     seen == i,
		     "a call sees another value");
	}
	return NULL;
}

static void *map_and_unmap(void *arg)
{
	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		volatile uint32_t *page =
			mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, BAR0 + MEMORY);

		must(page != MAP_FAILED, "not mapped");
		page[PAGE / 4 - 1] = i;
		must(page[PAGE / 4 - 1] == i, "another value in a map of its own");
		munmap((void *)(uintptr_t)page, PAGE);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS + 1];

	fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
	must(fd >= 0, "usage: hammer SHAPES");
	bar = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, BAR0);
	must(bar != MAP_FAILED, "not mapped");
	for (uint32_t i = 0; i <= THREADS; i++)
		must(!pthread_create(&threads[i], NULL, i < THREADS ? hammer : map_and_unmap,
				     (void *)(uintptr_t)i),
		     "no thread");
	for (uint32_t i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	must(*(volatile uint32_t *)(bar + MEMORY + PAGE) == THREADS * ROUNDS,
	     "an instruction that reads and writes was cut in two");
	return 0;
}
