/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/eventfd.h"
#include "util/usermem.h"

static void test_eventfds(void **state)
{
	int good = eventfd(0, 0), file = open("/dev/null", O_RDWR), mine;
	struct dfd_signaller signaller;
	uint64_t full = UINT64_MAX - 1;

	(void)state;
	dfd_signaller_start(&signaller);
	assert_true(signaller.ctx);
	assert_true(dfd_is_eventfd(good));
	assert_false(dfd_is_eventfd(file));
	assert_false(dfd_is_eventfd(-1));
	assert_int_equal(dfd_eventfd_dup(file), -EINVAL);
	assert_int_equal(dfd_eventfd_dup(-1), -EBADF);
	assert_int_equal(dfd_eventfd_dup(1 << 30), -EBADF);
	mine = dfd_eventfd_dup(good);
	assert_true(mine >= 0);
	assert_int_equal(dfd_eventfd_take(good), 0);
	dfd_signal(&signaller, mine);
	dfd_signal(&signaller, mine);
	assert_int_equal(dfd_eventfd_take(good), 2);
	assert_int_equal(write(good, &full, sizeof(full)), sizeof(full));
	dfd_signal(&signaller, mine); /* a write would block for ever */
	assert_true(dfd_eventfd_take(good) >= full);
	for (int i = 0; i < 1000; i++) /* more than are kept in mind */
		dfd_signal(&signaller, mine);
	assert_int_equal(dfd_eventfd_take(good), 1000);
	dfd_signaller_finish(&signaller);
	close(mine);
	close(file);
	close(good);
}

/*
 * Two race for the last place in an eventfd that is full but for it. @turns counts for each of
 * them; the first one fills the eventfd before each turn.
 */
#define TURNS 20000

struct race {
	struct dfd_signaller signaller;
	int fd;
	atomic_int turns[2];
};

static void fill_all_but_one(int fd)
{
	const uint64_t nearly = UINT64_MAX - 2;

	dfd_eventfd_take(fd);
	if (write(fd, &nearly, sizeof(nearly)) != sizeof(nearly))
		abort();
}

static void wait_for(atomic_int *turns, int turn)
{
	for (int i = 0; atomic_load(turns) < turn; i++) {
		if (i > 1000) /* one processor for both */
			sched_yield();
	}
}

static void *first(void *ctx)
{
	struct race *r = ctx;

	for (int turn = 1; turn <= TURNS; turn++) {
		wait_for(&r->turns[1], turn - 1);
		fill_all_but_one(r->fd);
		atomic_store(&r->turns[0], turn);
		dfd_signal(&r->signaller, r->fd);
	}
	return NULL;
}

static void *second(void *ctx)
{
	struct race *r = ctx;

	for (int turn = 1; turn <= TURNS; turn++) {
		wait_for(&r->turns[0], turn);
		dfd_signal(&r->signaller, r->fd);
		atomic_store(&r->turns[1], turn);
	}
	return NULL;
}

static bool goes_on(struct race *r)
{
	int turn = atomic_load(&r->turns[1]);

	for (int ms = 0; ms < 30000 && turn < TURNS; ms++) {
		usleep(1000);
		if (atomic_load(&r->turns[1]) != turn)
			return true;
	}
	return turn == TURNS;
}

static void test_signal_never_blocks(void **state)
{
	struct race r = { .fd = eventfd(0, 0) };
	pthread_t threads[2];
	int stuck = 0;

	(void)state;
	dfd_signaller_start(&r.signaller);
	assert_int_equal(pthread_create(&threads[0], NULL, first, &r), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, second, &r), 0);
	while (atomic_load(&r.turns[1]) < TURNS) {
		if (goes_on(&r))
			continue;
		stuck++;
		dfd_eventfd_take(r.fd);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	dfd_signaller_finish(&r.signaller);
	close(r.fd);
	assert_int_equal(stuck, 0);
}

static void test_user_memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char mine[8] = "devfd..";

	(void)state;
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_READ), 0);
	assert_int_equal(dfd_copy_out(map + page - 8, mine, 8), 0);
	memset(mine, 0, sizeof(mine));
	assert_int_equal(dfd_copy_in(mine, map + page - 8, 8), 0);
	assert_string_equal(mine, "devfd..");
	assert_int_equal(dfd_copy_in(mine, map + page - 4, 8), 0);
	assert_int_equal(dfd_copy_out(map + page, mine, 1), -EFAULT);
	assert_int_equal(dfd_copy_out(map + page - 4, mine, 8), -EFAULT);
	assert_int_equal(munmap(map + page, page), 0);
	assert_int_equal(dfd_copy_in(mine, map + page - 4, 8), -EFAULT);
	assert_int_equal(dfd_copy_in(mine, NULL, 1), -EFAULT);
	assert_int_equal(dfd_copy_out(NULL, mine, 1), -EFAULT);
	assert_int_equal(dfd_copy_in(mine, NULL, 0), 0);
	munmap(map, page);
}

/* Another process: the same addresses and numbers mean other memory and other fds. */
static void test_another_process(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ready[2], fd, status;
	struct dfd_caller caller;
	char mine[8] = "parent.";

	(void)state;
	assert_int_equal(pipe(ready), 0);
	memcpy(map, mine, sizeof(mine));
	caller.pid = fork();
	if (!caller.pid) {
		memcpy(map, "child..", 8);
		munmap(map + page, page);
		fd = fcntl(eventfd(0, 0), F_DUPFD, 100);
		if (write(ready[1], &fd, sizeof(fd)) == sizeof(fd))
			pause();
		_exit(1);
	}
	caller.pidfd = (int)syscall(SYS_pidfd_open, caller.pid, 0);
	assert_int_equal(read(ready[0], &fd, sizeof(fd)), sizeof(fd));
	assert_int_equal(dfd_user_fd(fd), -EBADF);

	dfd_call_from(&caller);
	assert_int_equal(dfd_copy_in(mine, map, 8), 0);
	assert_string_equal(mine, "child..");
	assert_int_equal(dfd_copy_out(map + 8, "reply..", 8), 0);
	assert_int_equal(dfd_copy_in(mine, map + page - 4, 8), -EFAULT);
	assert_int_equal(dfd_copy_out(map + page, mine, 1), -EFAULT);
	assert_int_equal(dfd_user_fd(fd + 1), -EBADF);
	assert_int_equal(dfd_user_fd(-1), -EBADF);
	fd = dfd_user_fd(fd);
	assert_true(dfd_is_eventfd(fd));
	dfd_user_fd_done(fd);
	assert_false(dfd_is_eventfd(fd));
	dfd_call_from(NULL);

	assert_string_equal(map, "parent.");
	assert_int_equal(map[8], 0);
	kill(caller.pid, SIGKILL);
	waitpid(caller.pid, &status, 0);
	dfd_call_from(&caller);
	assert_int_equal(dfd_copy_in(mine, map, 8), -EFAULT);
	dfd_call_from(NULL);
	munmap(map, 2 * page);
	close(caller.pidfd);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eventfds),
		cmocka_unit_test(test_signal_never_blocks),
		cmocka_unit_test(test_user_memory),
		cmocka_unit_test(test_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
