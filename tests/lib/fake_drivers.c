/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_drivers.h"
#include "tree.h"

#define DEVICES "sys/devices/pci0000:00/"
#define DRIVERS "sys/bus/pci/drivers/"

struct fake_drivers fake_drivers;

/* What a slow driver is about to take. */
static struct {
	char name[FUNCTION_NAME_SIZE];
	char driver[64];
	unsigned int pauses;
} pending;

/** struct made - a function of the machine */
struct made {
	const char *name;
	const char *class_code;
	const char *driver;
	const char *group;
};

static const struct made machine[] = {
	{ "0000:00:01.0", "0x060400", "pcieport", "1" },
	{ "0000:00:02.0", "0x010802", "nvme", "2" },
	{ "0000:00:03.0", "0x010802", "nvme", "3" },
	{ "0000:00:05.0", "0x00ff00", NULL, "5" },
	{ "0000:00:05.1", "0x020000", "e1000", "5" },
	{ "0000:00:06.0", "0x020000", "vfio-pci", "6" },
	{ "0000:00:07.0", "0x00ff00", "edu", NULL },
	{ "0000:00:08.0", "0x030000", "bochs-drm", "8" },
	{ "0000:00:09.0", "0x020000", "igb", "9" },
	{ "0000:01:00.0", "0x020000", "e1000e", "1" },
};
#define NUM_MADE (sizeof(machine) / sizeof(*machine))

/* ---- files ---- */

static const char *in(const char *folder, const char *name, const char *file)
{
	static char path[2][256];
	static unsigned int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s%s%s%s", folder, name, *file ? "/" : "", file);
	return path[turn];
}

static bool is_there(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	return !access(full, F_OK);
}

static void read_link(const char *path, char *out, size_t room)
{
	char full[512], target[256];
	ssize_t n;

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	n = readlink(full, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	snprintf(out, room, "%s", n < 0 ? "" : strrchr(target, '/') + 1);
}

static void read_line(const char *path, char *out, size_t room)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	f = fopen(full, "r");
	if (!f || !fgets(out, (int)room, f))
		*out = '\0';
	if (f)
		fclose(f);
	out[strcspn(out, "\n")] = '\0';
}

/* ---- the driver core ---- */

static void add_driver(const char *driver)
{
	tree_text(in(DRIVERS, driver, "bind"), "");
	tree_text(in(DRIVERS, driver, "unbind"), "");
}

static void set_driver(const char *name, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%.60s", driver);
	tree_link(in(DEVICES, name, "driver"), target);
}

static int write_override(const char *name, const char *text)
{
	tree_text(in(DEVICES, name, "driver_override"), *text == '\n' ? "(null)\n" : text);
	return 0;
}

static int write_unbind(const char *driver, const char *name)
{
	char now[64];

	read_link(in(DEVICES, name, "driver"), now, sizeof(now));
	if (strcmp(now, driver) != 0)
		return -ENODEV;
	tree_remove(in(DEVICES, name, "driver"));
	return 0;
}

/* An override names the only driver that may; without one, the ids of the function do. */
static bool matches(const char *driver, const char *name)
{
	char want[64];

	read_line(in(DEVICES, name, "driver_override"), want, sizeof(want));
	if (!strcmp(want, "(null)"))
		read_line(in(DEVICES, name, "native"), want, sizeof(want));
	return !strcmp(want, driver);
}

static bool is(const char *driver, const char *which)
{
	return which && !strcmp(driver, which);
}

static int write_bind(const char *driver, const char *name)
{
	if (is_there(in(DEVICES, name, "driver")))
		return -EBUSY;
	if (!is_there(in(DEVICES, name, "")) || !matches(driver, name))
		return -ENODEV;
	if (is(driver, fake_drivers.broken))
		return -EINVAL;
	if (is(driver, fake_drivers.slow)) {
		snprintf(pending.name, sizeof(pending.name), "%.31s", name);
		snprintf(pending.driver, sizeof(pending.driver), "%.60s", driver);
		pending.pauses = fake_drivers.pauses;
		return -EAGAIN;
	}
	set_driver(name, driver);
	return 0;
}

static int fake_write(const char *path, const char *text)
{
	const unsigned int number = ++fake_drivers.writes;
	char folder[128], file[64], kind[32], name[64];

	if (number == fake_drivers.die_at)
		_exit(9);
	if (number == fake_drivers.fail_at ||
	    (fake_drivers.fail_from && number >= fake_drivers.fail_from))
		return -EIO;
	if (access(path, F_OK))
		return -ENOENT;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "\n"), text);
	if (sscanf(path + strlen(tree_root), "/sys/bus/pci/%31[^/]/%127[^/]/%63s", kind, folder,
		   file) != 3)
		return -EACCES;
	if (!strcmp(kind, "devices") && !strcmp(file, "driver_override"))
		return write_override(folder, text);
	if (!strcmp(kind, "drivers") && !strcmp(file, "unbind"))
		return write_unbind(folder, name);
	if (!strcmp(kind, "drivers") && !strcmp(file, "bind"))
		return write_bind(folder, name);
	return -EACCES;
}

static int fake_load(const char *module)
{
	if (!is(module, fake_drivers.module))
		return -ENOENT;
	add_driver(module);
	return 0;
}

static void fake_pause(unsigned int ms)
{
	(void)ms;
	if (pending.name[0] && !--pending.pauses) {
		set_driver(pending.name, pending.driver);
		pending.name[0] = '\0';
	}
}

const struct bind_calls fake_bind_calls = { fake_write, fake_load, fake_pause };

/* ---- the machine ---- */

static void make(const struct made *m)
{
	char link[128];

	tree_text(in(DEVICES, m->name, "class"), m->class_code);
	tree_text(in(DEVICES, m->name, "vendor"), "0x8086\n");
	tree_text(in(DEVICES, m->name, "device"), "0x10d3\n");
	tree_text(in(DEVICES, m->name, "driver_override"), "(null)\n");
	tree_text(in(DEVICES, m->name, "native"), m->driver ? m->driver : "");
	if (m->driver) {
		add_driver(m->driver);
		set_driver(m->name, m->driver);
	}
	snprintf(link, sizeof(link), "../../../devices/pci0000:00/%s", m->name);
	tree_link(in("sys/bus/pci/devices/", m->name, ""), link);
	if (!m->group)
		return;
	snprintf(link, sizeof(link), "../../../kernel/iommu_groups/%s", m->group);
	tree_link(in(DEVICES, m->name, "iommu_group"), link);
	snprintf(link, sizeof(link), "sys/kernel/iommu_groups/%s/devices/%s", m->group, m->name);
	tree_link(link, in("../../../../devices/pci0000:00/", m->name, ""));
}

static void make_disk(const char *function, const char *disk, const char *number)
{
	char path[256], link[256];

	snprintf(path, sizeof(path), DEVICES "%s/nvme/%.5s/%s/size", function, disk, disk);
	tree_text(path, "32768\n");
	snprintf(link, sizeof(link), "../../devices/pci0000:00/%s/nvme/%.5s/%s", function, disk,
		 disk);
	tree_link(in("sys/class/block/", disk, ""), link);
	tree_link(in("sys/dev/block/", number, ""), link);
	tree_text(in("dev/", disk, ""), "");
}

static void make_interface(const char *function, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), DEVICES "%s/net/%s/device", function, name);
	tree_link(path, "../../");
	snprintf(path, sizeof(path), "../../devices/pci0000:00/%s/net/%s", function, name);
	tree_link(in("sys/class/net/", name, ""), path);
}

void fake_machine(void)
{
	fake_drivers = (struct fake_drivers){ 0 };
	pending.name[0] = '\0';
	for (size_t i = 0; i < NUM_MADE; i++)
		make(&machine[i]);
	make_disk("0000:00:02.0", "nvme0n1p1", "259:1");
	make_disk("0000:00:02.0", "nvme0n1p2", "259:2");
	make_disk("0000:00:03.0", "nvme1n1", "259:3");
	make_interface("0000:01:00.0", "eth0");
	make_interface("0000:00:05.1", "eth1");
	tree_text(DEVICES "0000:00:08.0/boot_vga", "1\n");
	tree_text(DEVICES "0000:00:09.0/sriov_numvfs", "4\n");
	tree_text("proc/self/mountinfo",
		  "21 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw\n"
		  "22 21 0:20 / /proc rw - proc proc rw\n");
	tree_text("proc/swaps", "Filename Type Size Used Priority\n"
				"/dev/nvme0n1p2 partition 1048572 0 -2\n");
	tree_text("proc/net/route",
		  "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
		  "eth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n"
		  "eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
		  "eth1 0003000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n");
	tree_text("proc/self/stat", "4712 (devfd) R 1 4712\n");
	tree_text("proc/4711/comm", "qemu-system-x86\n");
	tree_link("proc/4711/fd/11", "/dev/vfio/6");
	tree_text("dev/vfio/6", "");
	tree_text("run/empty", "");
}

const char *fake_drivers_now(char *text, size_t room)
{
	char driver[64], override[64];
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; i < NUM_MADE && len < room; i++) {
		read_link(in(DEVICES, machine[i].name, "driver"), driver, sizeof(driver));
		read_line(in(DEVICES, machine[i].name, "driver_override"), override,
			  sizeof(override));
		len += (size_t)snprintf(text + len, room - len, "%s %s %s\n", machine[i].name,
					*driver ? driver : "-", override);
	}
	return text;
}
