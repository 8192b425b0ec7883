/* SPDX-License-Identifier: MIT */
/*
 * What one access costs the server in system calls and allocations.
 *
 * The server is a process that we trace: each of its system calls stops it, and is counted while
 * the client does its accesses one by one. A receive that finds nothing, of a server that polls,
 * belongs to no access and is counted apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>
#include <cmocka.h>

#include <devfd/devfd.h>

#include "alloc.h"
#include "user/listen.h"
#include "user/proto.h"
#include "user/session.h"

/* What epoll_wait() is: newer architectures have one of the two system calls. */
#ifdef SYS_epoll_wait
#define LOOK SYS_epoll_wait
#else
#define LOOK SYS_epoll_pwait
#endif

#define ACCESSES 400
#define WARM_UP	 20

/** enum loop - how the server waits */
enum loop { LOOP_POLL, LOOP_ALONE, LOOP_SHARED };

/** struct shared - what the processes tell each other */
struct shared {
	atomic_bool counting;
	atomic_size_t allocations;
};

/** struct counted - system calls of the server */
struct counted {
	unsigned int all, empty, looked;
};

static struct shared *shared;
static char path[64];

/* ---- the server ---- */

static void serve(enum loop loop)
{
	struct dfd_device *dev, *other;
	struct dfd_server *srv;
	char second[80];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(second, sizeof(second), "%s.2", path);
	if (dfd_open("model:edu", &dev, NULL) || dfd_open("model:edu", &other, NULL) ||
	    dfd_server_new(&srv) || dfd_server_set_poll(srv, loop == LOOP_POLL) ||
	    (loop == LOOP_SHARED && dfd_server_add(srv, other, second, 0600, NULL)) ||
	    dfd_server_add(srv, dev, path, 0600, NULL))
		_exit(1);
	while (!dfd_server_served(srv, dev)) {
		bool counts = atomic_load(&shared->counting);

		dfd_alloc_reset();
		if (dfd_server_wait(srv, -1))
			_exit(2);
		if (counts && atomic_load(&shared->counting))
			atomic_fetch_add(&shared->allocations, dfd_alloc.calls);
	}
	dfd_server_free(srv);
	_exit(0);
}

/* Where it is stopped, at the end of a system call. */
static void count(pid_t pid, struct counted *n)
{
	struct ptrace_syscall_info info;
	static uint64_t number;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		number = info.entry.nr;
	if (info.op != PTRACE_SYSCALL_INFO_EXIT || !atomic_load(&shared->counting))
		return;
	if (number == SYS_recvmsg && info.exit.rval == -EAGAIN)
		n->empty++;
	else if (number == LOOK && !info.exit.rval)
		n->looked++;
	else
		n->all++;
}

/* ---- the client ---- */

static void access_once(int fd, bool is_write)
{
	struct {
		struct user_header head;
		struct user_access a;
		uint32_t value;
	} m = { { .command = is_write ? USER_REGION_WRITE : USER_REGION_READ,
		  .size = sizeof(m.head) + sizeof(m.a) + (is_write ? 4 : 0) },
		{ 4, 0, 4 } };
	size_t want = sizeof(m.head) + sizeof(m.a) + (is_write ? 0 : 4);

	if (send(fd, &m, m.head.size, 0) != (ssize_t)m.head.size ||
	    recv(fd, &m, want, MSG_WAITALL) != (ssize_t)want || (m.head.flags & USER_ERROR))
		_exit(3);
}

static void drive(bool is_write)
{
	const struct user_header hello = { .command = USER_VERSION, .size = sizeof(hello) + 4 };
	char version[sizeof(hello) + 4] = { 0 }, reply[256];
	struct timeval patience = { .tv_sec = 60 };
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((fd = user_connect(path)) < 0)
		usleep(1000);
	fcntl(fd, F_SETFL, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	memcpy(version, &hello, sizeof(hello));
	if (write(fd, version, sizeof(version)) < 0 || recv(fd, reply, sizeof(reply), 0) <= 0)
		_exit(4);
	for (int i = 0; i < WARM_UP; i++)
		access_once(fd, is_write);
	atomic_store(&shared->counting, true);
	for (int i = 0; i < ACCESSES; i++)
		access_once(fd, is_write);
	atomic_store(&shared->counting, false);
	_exit(0);
}

/* ---- both ---- */

static int trace(pid_t server)
{
	const unsigned long how = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int status;

	return waitpid(server, &status, 0) == server && WIFSTOPPED(status) &&
			       !ptrace(PTRACE_SETOPTIONS, server, NULL, how) &&
			       !ptrace(PTRACE_SYSCALL, server, NULL, 0)
		       ? 0
		       : -errno;
}

static struct counted measure(enum loop loop, bool is_write)
{
	struct counted n = { 0 };
	pid_t server, client;
	int status;

	*shared = (struct shared){ 0 };
	server = fork();
	if (!server) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(5);
		serve(loop);
	}
	assert_int_equal(trace(server), 0);
	client = fork();
	if (!client)
		drive(is_write);
	while (waitpid(server, &status, __WALL) == server && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			count(server, &n);
		ptrace(PTRACE_SYSCALL, server, NULL, 0);
	}
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
	return n;
}

/*
 * At the edges of what is counted one call may belong to the other side. Who serves one client asks
 * the epoll fd every 10 ms all the same, which is much less often when nobody traces, and more
 * often on a busy machine.
 */
static void check(enum loop loop, unsigned int calls)
{
	for (int is_write = 0; is_write < 2; is_write++) {
		uint64_t began = user_now();
		struct counted n = measure(loop, is_write);
		unsigned int asks = (unsigned int)((user_now() - began) / 10000000);

		print_message("%s: %.3f calls, %u empty receives, %u looks, %zu allocations\n",
			      is_write ? "write" : "read", n.all / (double)ACCESSES, n.empty,
			      n.looked, atomic_load(&shared->allocations));
		assert_in_range(n.all, calls * ACCESSES - 3,
				calls * ACCESSES + ACCESSES / 50 + 2 * asks);
		assert_int_equal(atomic_load(&shared->allocations), 0);
		if (loop == LOOP_POLL)
			assert_true(n.looked <= (n.empty + ACCESSES) / 256 + 1);
		else
			assert_true(n.looked + n.empty <= ACCESSES / 10 + 2 * asks);
	}
}

static void test_poll(void **state)
{
	(void)state;
	check(LOOP_POLL, 2);
}

static void test_alone(void **state)
{
	(void)state;
	check(LOOP_ALONE, 2);
}

static void test_shared(void **state)
{
	(void)state;
	check(LOOP_SHARED, 3);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/devfd-cost-%d", (int)getpid());
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED;
}

static int may_trace(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? 1 : 0);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_shared),
	};

	if (!may_trace()) {
		puts("tracing is not allowed here");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}
