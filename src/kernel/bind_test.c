/* SPDX-License-Identifier: MIT */
/* Binding with a failure, or an end of the process, at every write; and what the host needs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_drivers.h"
#include "tree.h"

#define ROOT "0000:00:02.0"
#define DISK "0000:00:03.0"
#define NIC  "0000:01:00.0"
#define CARD "0000:00:05.1"

/* Enough for any of the calls here. */
#define MAX_WRITES 32

typedef int verb(const struct bind_calls *calls, const struct dfd_bind_options *options,
		 const char *const *names, size_t count, struct dfd_error *err);

static const char *const three[] = { DISK, "0000:00:05.0", CARD };
static const struct dfd_bind_options options = { .root = tree_root };
static char initial[2048];

static int start(void **state)
{
	(void)state;
	tree_start();
	fake_machine();
	fake_drivers_now(initial, sizeof(initial));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	tree_stop();
	return 0;
}

static int call(verb *fn, const char *const *names, size_t count)
{
	struct dfd_error err;

	return fn(&fake_bind_calls, &options, names, count, &err);
}

/* In a process of its own, which may end in the middle. Return: did it? */
static bool call_and_die(verb *fn, const char *const *names, size_t count, unsigned int at)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		fake_drivers.writes = 0;
		fake_drivers.die_at = at;
		call(fn, names, count);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 9;
}

static bool is_remembered(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/run/devfd/drivers", tree_root);
	return !access(path, F_OK);
}

static void assert_initial(void)
{
	char now[2048];

	assert_string_equal(fake_drivers_now(now, sizeof(now)), initial);
	assert_false(is_remembered());
}

/* ---- failures ---- */

static void fail_everywhere(verb *fn)
{
	struct dfd_error err;
	unsigned int at = 1;

	for (;; at++) {
		fake_drivers.writes = 0;
		fake_drivers.fail_at = at;
		if (!fn(&fake_bind_calls, &options, three, 3, &err))
			break;
		assert_non_null(
			strstr(err.text, at == 1 ? "nothing was changed" : "all was put back"));
		assert_initial();
	}
	assert_true(at > 5);
	assert_true(is_remembered());
	fake_drivers.fail_at = 0;
	assert_int_equal(call(restore_functions, NULL, 0), 0);
	assert_initial();
}

static void test_fail_everywhere(void **state)
{
	(void)state;
	fail_everywhere(bind_functions);
	fail_everywhere(unbind_functions);
}

/* From some write on nothing works any more, so nothing can be undone either. */
static void test_fail_for_good(void **state)
{
	(void)state;
	for (unsigned int at = 1;; at++) {
		fake_drivers.writes = 0;
		fake_drivers.fail_from = at;
		if (!call(bind_functions, three, 3))
			break;
		fake_drivers.fail_from = 0;
		call(restore_functions, NULL, 0);
		assert_initial();
	}
	fake_drivers.fail_from = 0;
	assert_int_equal(call(restore_functions, NULL, 0), 0);
	assert_initial();
}

/* Restoring goes on where it failed, or where it was killed. */
static void test_restore_fails(void **state)
{
	(void)state;
	for (unsigned int at = 1;; at++) {
		int ret;

		assert_int_equal(call(bind_functions, three, 3), 0);
		fake_drivers.writes = 0;
		fake_drivers.fail_at = at;
		ret = call(restore_functions, NULL, 0);
		fake_drivers.fail_at = 0;
		if (!ret)
			break;
		assert_true(is_remembered());
		assert_int_equal(call(restore_functions, NULL, 0), 0);
		assert_initial();
	}
	assert_initial();
}

/* ---- ends of the process ---- */

static void test_die_everywhere(void **state)
{
	verb *const verbs[] = { bind_functions, unbind_functions };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		unsigned int at = 1;

		for (; call_and_die(verbs[i], three, 3, at); at++) {
			assert_true(is_remembered());
			assert_int_equal(call(restore_functions, NULL, 0), 0);
			assert_initial();
		}
		assert_true(at > 5 && at < MAX_WRITES);
		assert_int_equal(call(restore_functions, NULL, 0), 0);
	}
}

static void test_die_while_restoring(void **state)
{
	bool died = true;

	(void)state;
	for (unsigned int at = 1; died; at++) {
		assert_int_equal(call(bind_functions, three, 3), 0);
		fake_drivers.writes = 0;
		died = call_and_die(restore_functions, NULL, 0, at);
		assert_int_equal(is_remembered(), died);
		assert_int_equal(call(restore_functions, NULL, 0), 0);
		assert_initial();
	}
}

static void test_die_while_undoing(void **state)
{
	(void)state;
	for (unsigned int fail = 2; fail < 8; fail++) {
		for (unsigned int die = fail + 1; die < MAX_WRITES; die++) {
			fake_drivers.fail_at = fail;
			call_and_die(bind_functions, three, 3, die);
			fake_drivers.fail_at = 0;
			call(restore_functions, NULL, 0);
			assert_initial();
		}
	}
}

/* ---- what is remembered ---- */

/* A failure takes nothing away that was done before. */
static void test_fail_later(void **state)
{
	static const char *const disk[] = { DISK };
	char now[2048], before[2048];

	(void)state;
	assert_int_equal(call(bind_functions, disk, 1), 0);
	fake_drivers_now(before, sizeof(before));
	fake_drivers.broken = "vfio-pci";
	assert_int_equal(call(bind_functions, three, 3), -EINVAL);
	assert_string_equal(fake_drivers_now(now, sizeof(now)), before);
	assert_int_equal(call(unbind_functions, disk, 1), 0);
	assert_int_equal(call(restore_functions, disk, 1), 0);
	assert_initial();
}

static void test_cannot_remember(void **state)
{
	(void)state;
	tree_text("run/devfd/drivers.new/in the way", "");
	assert_int_equal(call(bind_functions, three, 3), -EISDIR);
	assert_int_equal(fake_drivers.writes, 0);
	tree_remove("run/devfd/drivers.new/in the way");
	tree_remove("run/devfd/drivers.new");
	assert_initial();
}

static void test_lock(void **state)
{
	char path[512];
	int fd;

	(void)state;
	tree_text("run/devfd/lock", "");
	snprintf(path, sizeof(path), "%s/run/devfd/lock", tree_root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(call(bind_functions, three, 3), -EBUSY);
	close(fd);
	assert_int_equal(fake_drivers.writes, 0);
	assert_int_equal(call(bind_functions, three, 3), 0);
}

static void test_nonsense(void **state)
{
	static const char *const files[] = {
		"",
		"devfd drivers 2\n",
		"devfd drivers 1\n0000:00:03.0\n",
		"devfd drivers 1\n0000:00:03.0\t8086:10d3\tnvme\n",
		"devfd drivers 1\n0000:00:03.0\t8086:10d3\tnvme\t-\t-\n",
		"devfd drivers 1\n0000:00:03.0\t8086\tnvme\t-\n",
		"devfd drivers 1\nnvme0\t8086:10d3\tnvme\t-\n",
		"devfd drivers 1\n0000:00:03.0\t8086:10d3\t\t-\n",
		"devfd drivers 1\n0000:00:03.0\t8086:10d3\tnvme\t-\n\n",
	};

	(void)state;
	for (size_t i = 1; i < sizeof(files) / sizeof(*files); i++) {
		tree_text("run/devfd/drivers", files[i]);
		assert_int_equal(call(restore_functions, NULL, 0), -EBADMSG);
		assert_int_equal(call(bind_functions, three, 3), -EBADMSG);
	}
	tree_text("run/devfd/drivers", files[0]);
	assert_int_equal(call(restore_functions, NULL, 0), 0);
	assert_int_equal(fake_drivers.writes, 0);
}

/* By the file of its group, with or without an IOMMU, or by its own. */
static void test_holders(void **state)
{
	static const char *const files[] = { "/dev/vfio/6", "/dev/vfio/noiommu-6",
					     "/dev/vfio/devices/vfio3" };
	static const char *const held[] = { "0000:00:06.0" };
	struct dfd_error err;

	(void)state;
	tree_link("sys/class/vfio-dev/vfio3",
		  "../../devices/pci0000:00/0000:00:06.0/vfio-dev/vfio3");
	tree_link("sys/devices/pci0000:00/0000:00:06.0/vfio-dev/vfio3/device", "../../");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		tree_link("proc/4711/fd/11", files[i]);
		assert_int_equal(unbind_functions(&fake_bind_calls, &options, held, 1, &err),
				 -EBUSY);
		assert_non_null(strstr(err.text, "process 4711 (qemu-system-x86)"));
	}
	tree_link("proc/4711/fd/11", "/dev/vfio/devices/vfio4");
	assert_int_equal(call(unbind_functions, held, 1), 0);
}

/* ---- what the host needs ---- */

static void assert_needed(const char *name, const char *why)
{
	const char *const names[] = { name };
	struct dfd_error err;

	assert_int_equal(bind_functions(&fake_bind_calls, &options, names, 1, &err), -EBUSY);
	if (!strstr(err.text, why))
		fail_msg("%s: does not say: %s", err.text, why);
	assert_int_equal(fake_drivers.writes, 0);
}

static void assert_free(const char *name)
{
	const char *const names[] = { name };

	assert_int_equal(call(bind_functions, names, 1), 0);
	assert_int_equal(call(restore_functions, names, 1), 0);
	assert_initial();
	fake_drivers.writes = 0;
}

static void mount(const char *number, const char *source)
{
	char line[256];

	snprintf(line, sizeof(line), "21 1 %s / /data rw shared:1 - xfs %s rw\n", number, source);
	tree_text("proc/self/mountinfo", line);
}

/* A partition of an encrypted volume on an array of which one disk is ours. */
static void test_disk_below(void **state)
{
	(void)state;
	mount("253:0", "/dev/mapper/data");
	assert_free(DISK);
	tree_text("sys/devices/virtual/block/dm-0/size", "1");
	tree_link("sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	tree_link("sys/devices/virtual/block/dm-0/slaves/md0p1", "../../md0/md0p1");
	tree_text("sys/devices/virtual/block/md0/md0p1/partition", "1");
	tree_link("sys/devices/virtual/block/md0/slaves/nvme1n1",
		  "../../../../pci0000:00/" DISK "/nvme/nvme1/nvme1n1");
	assert_needed(DISK, "at /data is on dm-0");
}

static void test_disk_by_name(void **state)
{
	(void)state;
	mount("0:35", "/dev/nvme1n1");
	assert_needed(DISK, "at /data is on nvme1n1");
	mount("0:35", "tmpfs");
	assert_free(DISK);
	tree_text("proc/1/mountinfo", "21 1 259:3 / /elsewhere rw - xfs /dev/nvme1n1 rw\n");
	assert_needed(DISK, "at /elsewhere");
}

static void test_disk_of_several_controllers(void **state)
{
	(void)state;
	mount("259:9", "/dev/nvme5n1");
	tree_text("sys/devices/virtual/nvme-subsystem/nvme-subsys5/nvme5n1/size", "1");
	tree_link("sys/dev/block/259:9",
		  "../../devices/virtual/nvme-subsystem/nvme-subsys5/nvme5n1");
	assert_free(DISK);
	tree_link("sys/devices/virtual/nvme-subsystem/nvme-subsys5/nvme1",
		  "../../../pci0000:00/" DISK "/nvme/nvme1");
	assert_needed(DISK, "at /data is on nvme5n1");
}

static void test_btrfs(void **state)
{
	(void)state;
	tree_link("sys/fs/btrfs/1b4e28ba-2fa1/devices/nvme1n1",
		  "../../../../devices/pci0000:00/" DISK "/nvme/nvme1/nvme1n1");
	assert_needed(DISK, "btrfs 1b4e28ba-2fa1");
}

#define ROUTES "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"

/* With a second way out, one of them may go; not both. */
static void test_two_routes(void **state)
{
	static const char *const both[] = { NIC, "0000:00:05.0", CARD };
	struct dfd_error err;

	(void)state;
	tree_text("proc/net/route", ROUTES "eth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n"
					   "eth1 00000000 0203000A 0003 0 0 9 00000000 0 0 0\n");
	assert_free(NIC);
	assert_int_equal(bind_functions(&fake_bind_calls, &options, both, 3, &err), -EBUSY);
	tree_text("proc/net/route", ROUTES "eth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n"
					   "eth1 00000000 0203000A 0002 0 0 9 00000000 0 0 0\n");
	assert_needed(NIC, "the only default route is by eth0");
}

static void test_bond(void **state)
{
	(void)state;
	tree_text("proc/net/route", ROUTES "bond0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n");
	tree_text("sys/devices/virtual/net/bond0/mtu", "1500");
	tree_link("sys/class/net/bond0", "../../devices/virtual/net/bond0");
	tree_link("sys/devices/virtual/net/bond0/lower_eth0",
		  "../../../pci0000:00/" NIC "/net/eth0");
	assert_needed(NIC, "the only default route is by bond0");
	tree_link("sys/devices/virtual/net/bond0/lower_eth1",
		  "../../../pci0000:00/" CARD "/net/eth1");
	assert_free(NIC);
}

static void test_route6(void **state)
{
	(void)state;
	tree_text("proc/net/route", ROUTES);
	assert_free(NIC);
	tree_text(
		"proc/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n");
	assert_needed(NIC, "the only default route is by eth0");
}

/* Somebody is logged in by eth1; sudo has cleaned the environment below his shell. */
static void test_login(void **state)
{
	static const char *const names[] = { CARD, "0000:00:05.0" };
	static const char shell[] = "HOME=/\0SSH_CONNECTION=10.0.3.7 5022 10.0.3.1 22\0TERM=x";
	struct dfd_error err;

	(void)state;
	tree_text("proc/self/environ", "HOME=/root");
	tree_text("proc/4712/environ", "SUDO_USER=me");
	tree_text("proc/self/stat", "4713 (a ) b) S 4712 4712");
	tree_text("proc/4712/stat", "4712 (sudo) S 4700 4712");
	tree_put("proc/4700/environ", shell, sizeof(shell));
	assert_int_equal(bind_functions(&fake_bind_calls, &options, names, 2, &err), -EBUSY);
	assert_non_null(strstr(err.text, CARD ": the host needs it: your connection from 10.0.3.7 "
					      "goes by eth1"));
	tree_text("proc/4700/environ", "SSH_CONNECTION=fe80::7%eth1 5022 fe80::1%eth1 22");
	assert_int_equal(bind_functions(&fake_bind_calls, &options, names, 2, &err), -EBUSY);
	tree_text("proc/4700/environ", "SSH_CONNECTION=10.0.2.7 5022 10.0.2.1 22");
	assert_int_equal(bind_functions(&fake_bind_calls, &options, names, 2, &err), 0);
}

static void test_file_server(void **state)
{
	(void)state;
	tree_text("proc/net/route", ROUTES "eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n");
	assert_free(NIC);
	tree_text("proc/self/mountinfo", "21 1 0:40 / / rw - nfs4 server:/root rw,vers=4.2,"
					 "clientaddr=10.0.9.5,addr=10.0.2.2\n");
	assert_needed(NIC, "the mounted file server 10.0.2.2 goes by eth0");
}

static void test_console(void **state)
{
	(void)state;
	tree_text("sys/class/tty/console/active", "tty0 ttyS4\n");
	tree_link("sys/class/tty/ttyS4", "../../devices/pci0000:00/" DISK "/tty/ttyS4");
	assert_free(DISK);
	tree_text("sys/devices/pci0000:00/" DISK "/tty/ttyS4/dev", "4:68");
	assert_needed(DISK, "the console is on ttyS4");
}

/* A name of which another is the end is another name. */
static void test_set(void **state)
{
	struct bind_function f = { .name = "0000:01:00.0" };
	const struct bind_set set = { &f, 1 };

	(void)state;
	assert_non_null(set_owns(&set, "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/net"));
	assert_non_null(set_owns(&set, "/sys/devices/10000:01:00.0/0000:01:00.0"));
	assert_null(set_owns(&set, "/sys/devices/10000:01:00.0/net"));
	assert_null(set_owns(&set, "/sys/devices/0000:01:00.01/net"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fail_everywhere),
		TEST(test_fail_for_good),
		TEST(test_restore_fails),
		TEST(test_die_everywhere),
		TEST(test_die_while_restoring),
		TEST(test_die_while_undoing),
		TEST(test_fail_later),
		TEST(test_cannot_remember),
		TEST(test_lock),
		TEST(test_nonsense),
		TEST(test_holders),
		TEST(test_disk_below),
		TEST(test_disk_by_name),
		TEST(test_disk_of_several_controllers),
		TEST(test_btrfs),
		TEST(test_two_routes),
		TEST(test_bond),
		TEST(test_route6),
		TEST(test_login),
		TEST(test_file_server),
		TEST(test_console),
		TEST(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
