/* SPDX-License-Identifier: MIT */
/*
 * A handler of a signal may use a device, whatever it has interrupted: pread() is one of the
 * functions that it may call.
 *
 * usage: handler PATH, of an educational device behind --at
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#define REGION_0  ((off_t)1 << 40)
#define ID	  0x010000edu
#define HANDLERS  300
#define PERIOD_US 200
#define LIMIT_S	  120

static int device;
static volatile sig_atomic_t handled, wrong;

static void check_id(void)
{
	uint32_t id = 0;

	if (pread(device, &id, sizeof(id), REGION_0) != sizeof(id) || id != ID)
		wrong = 1;
}

static void handle(int number)
{
	(void)number;
	check_id();
	handled++;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, PERIOD_US }, { 0, PERIOD_US } };
	sigset_t mask;

	device = argc == 2 ? open(argv[1], O_RDWR) : -1;
	if (device < 0) {
		fprintf(stderr, "handler: needs the path of a device\n");
		return 1;
	}
	alarm(LIMIT_S);
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	while (handled < HANDLERS && !wrong)
		check_id();
	if (sigprocmask(SIG_BLOCK, NULL, &mask) || sigismember(&mask, SIGPROF))
		wrong = 1;
	printf("%s\n", wrong ? "wrong" : "right");
	return wrong;
}
