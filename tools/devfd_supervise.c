/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Three processes. The first is the one that was called; it passes signals on, stops when the
 * program stops, and ends as the program ends. The second has the devices: it is the parent of the
 * program, and whatever the program leaves behind becomes its child as well (it is a subreaper), so
 * it knows when the last process has gone that could use a device, and it may reach the memory of
 * them all where only ancestors may. It can outlive the first, as a program in the background does.
 * The third is the program.
 *
 * A pipe tells the first what became of the program; when the first has been killed, so is the
 * program, which it stood for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devfd_supervise.h"
#include "shim/notify.h"
#include "shim/server.h"
#include "tool.h"

/**
 * struct news - of the program
 * @status: 0 when it was started, or a status of waitpid()
 * @last: nobody is left who uses the devices, so they go as well
 */
struct news {
	pid_t pid;
	int status;
	bool last;
};

static int block(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, old);
}

/* ---- the process that has the devices ---- */

static struct {
	struct shim_watch children, front;
	pid_t program;
	bool ended; /* the program */
	bool done;  /* nobody is left */
} life;

static void tell(pid_t pid, int status, bool last)
{
	const struct news news = { pid, status, last };

	if (send(life.front.fd, &news, sizeof(news), MSG_NOSIGNAL) < 0)
		return; /* front_gone() sees it */
}

static void reap(struct shim_watch *w)
{
	struct signalfd_siginfo info[8];
	const bool had_ended = life.ended;
	int status, end = 0;
	pid_t pid;

	if (read(w->fd, info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (notify_stopped(pid, status) || pid != life.program)
			continue;
		if (WIFSTOPPED(status)) {
			tell(pid, status, false);
			continue;
		}
		life.ended = true;
		end = status;
	}
	life.done = pid < 0 && errno == ECHILD;
	if (life.ended && !had_ended)
		tell(life.program, end, life.done);
}

static void front_gone(struct shim_watch *w)
{
	shim_server_forget(w);
	if (!life.ended)
		kill(life.program, SIGKILL);
}

/* Who reads our output to its end must not wait for us, and nobody else has to have our files. */
static void let_go(const bool inherited[], int count, bool talks)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < count; fd++) {
		if (fd == STDERR_FILENO && talks)
			continue;
		if (inherited[fd] && fd > STDERR_FILENO)
			close(fd);
		else if (inherited[fd])
			dup2(null, fd);
	}
	close(null);
}

static int watch_all(void)
{
	sigset_t child;
	int ret;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	life.children =
		(struct shim_watch){ signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK), reap };
	ret = shim_server_watch(&life.children);
	if (!ret)
		ret = shim_server_watch(&life.front);
	if (ret)
		return tool_fail(TOOL_FAILED, "waiting for the program: %s", strerror(-ret));
	return 0;
}

static pid_t start_program(const struct supervision *s, const sigset_t *mask)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	_exit(s->program(s->ctx));
}

/* Each device and each connection takes some. */
static void allow_many_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int have_devices(const struct supervision *s, const sigset_t *mask, const bool inherited[],
			int count)
{
	int ret = s->start(s->ctx);

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!ret)
		ret = watch_all();
	if (ret)
		return ret;
	life.program = start_program(s, mask);
	if (life.program < 0)
		return tool_fail(TOOL_FAILED, "fork: %s", strerror(errno));
	tell(life.program, 0, false);
	let_go(inherited, count, s->talks);
	allow_many_fds();
	while (!life.done && !ret)
		ret = shim_server_wait();
	return 0;
}

/* ---- the process that was called ---- */

/* The terminal has sent it to the program as well; somebody who names a process has not. */
static void pass_on(int signals, pid_t program)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGCHLD)
		return;
	if (program > 0 && info.ssi_code != SI_KERNEL)
		kill(program, (int)info.ssi_signo);
}

/* End as the program has ended, but leave the dump of memory to that one. */
static int end_as(int status)
{
	const struct rlimit none = { 0 };
	sigset_t just;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	sigemptyset(&just);
	sigaddset(&just, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &just, NULL);
	return 128 + WTERMSIG(status);
}

/* The one with the devices has ended first: before there was a program, or because of a signal. */
static int after_devices(pid_t devices, pid_t program)
{
	int status;

	if (waitpid(devices, &status, 0) == devices && !program)
		return end_as(status);
	while (waitpid(program, &status, 0) < 0) {
		if (errno != EINTR)
			return tool_fail(TOOL_FAILED, "waiting for the program: %s",
					 strerror(errno));
	}
	return end_as(status);
}

static int stand_for(int pipe, pid_t devices, int signals)
{
	struct pollfd fds[2] = { { .fd = pipe, .events = POLLIN },
				 { .fd = signals, .events = POLLIN } };
	struct news news = { 0 };
	pid_t program = 0;

	/* Signals wait until there is a program to pass them on to. */
	while (poll(fds, program ? 2 : 1, -1) >= 0 || errno == EINTR) {
		if (fds[1].revents)
			pass_on(signals, program);
		if (!fds[0].revents)
			continue;
		if (recv(pipe, &news, sizeof(news), 0) != sizeof(news))
			return after_devices(devices, program);
		if (program && !WIFSTOPPED(news.status)) {
			/* Whoever runs something next may want the same devices. */
			if (news.last)
				waitpid(devices, NULL, 0);
			return end_as(news.status);
		}
		if (program)
			kill(getpid(), SIGSTOP);
		program = news.pid;
	}
	return tool_fail(TOOL_FAILED, "poll: %s", strerror(errno));
}

/* ---- together ---- */

static void note_inherited(bool inherited[], int count)
{
	for (int fd = 0; fd < count; fd++)
		inherited[fd] = fcntl(fd, F_GETFD) >= 0;
}

int supervise(const struct supervision *s)
{
	bool inherited[1024];
	sigset_t mask, all;
	int ends[2];
	pid_t devices;

	note_inherited(inherited, 1024);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) || block(&mask))
		return tool_fail(TOOL_FAILED, "socketpair: %s", strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	devices = fork();
	if (devices < 0)
		return tool_fail(TOOL_FAILED, "fork: %s", strerror(errno));
	if (!devices) {
		close(ends[0]);
		life.front = (struct shim_watch){ ends[1], front_gone };
		exit(have_devices(s, &mask, inherited, 1024));
	}
	close(ends[1]);
	sigfillset(&all);
	return stand_for(ends[0], devices, signalfd(-1, &all, SFD_CLOEXEC));
}
