/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model_test.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

#define FCR   IIR
#define LOOP  0x10
#define FIFOS 0xc1 /* of IIR without a cause */

/* Opened with I/O ports on, as VFIO hands a function over only if the driver asks. */
static struct dfd_device *open_uart(const char *spec)
{
	struct dfd_device *dev = open_model(spec);

	set_command(dev, 7);
	return dev;
}

static uint8_t in(struct dfd_device *dev, uint64_t reg)
{
	return (uint8_t)get(dev, 0, reg, 1);
}

static void out(struct dfd_device *dev, uint64_t reg, uint8_t value)
{
	put(dev, 0, reg, 1, value);
}

static void test_identity(void **state)
{
	struct dfd_device *dev = open_uart("uart");
	uint32_t raw;

	(void)state;
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0, 4), 0x00021b36);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 8, 4), 0x07000201);
	assert_int_equal(dfd_region_read(dev, 0, 0, &raw, 2), -EIO);
	assert_int_equal(dfd_region_write(dev, 0, 0, &raw, 4), -EIO);
	set_command(dev, 2);
	assert_int_equal(dfd_region_read(dev, 0, 0, &raw, 1), -EIO);
	dfd_device_close(dev);
}

/* What Linux's 8250 driver does to find out what it has. */
static void test_probe(void **state)
{
	struct dfd_device *dev = open_uart("uart");

	(void)state;
	out(dev, IER, 0);
	assert_int_equal(in(dev, IER), 0);
	out(dev, IER, 0xff);
	assert_int_equal(in(dev, IER), 0x0f);
	out(dev, IER, 0);
	out(dev, SCR, 0xa5);
	assert_int_equal(in(dev, SCR), 0xa5);
	out(dev, MCR, LOOP | 0x0a);
	assert_int_equal(in(dev, MSR) & 0xf0, 0x90);
	out(dev, MCR, 0);
	out(dev, FCR, 0);
	assert_int_equal(in(dev, IIR) >> 6, 0);
	out(dev, FCR, 1);
	assert_int_equal(in(dev, IIR) >> 6, 3);
	out(dev, LCR, 0x83);
	out(dev, DATA, 0x34);
	out(dev, IER, 0x12);
	assert_int_equal(in(dev, DATA), 0x34);
	assert_int_equal(in(dev, IER), 0x12);
	out(dev, LCR, 0x03);
	assert_int_equal(in(dev, IER), 0);
	assert_int_equal(in(dev, LSR), 0x60);
	out(dev, LSR, 0xff);
	assert_int_equal(in(dev, LSR), 0x60);
	dfd_device_close(dev);
}

static void test_fifo(void **state)
{
	struct dfd_device *dev = open_uart("uart,backend=loopback");

	(void)state;
	out(dev, FCR, 0x01);
	for (unsigned int i = 0; i < 16; i++)
		out(dev, DATA, (uint8_t)(i + 1));
	assert_int_equal(in(dev, LSR), 0x61);
	out(dev, DATA, 99);
	assert_int_equal(in(dev, LSR), 0x63); /* overrun; seen once */
	assert_int_equal(in(dev, LSR), 0x61);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(in(dev, DATA), i + 1);
	assert_int_equal(in(dev, LSR), 0x60);
	assert_int_equal(in(dev, DATA), 0);

	out(dev, DATA, 1);
	out(dev, FCR, 0x03); /* clears */
	assert_int_equal(in(dev, LSR), 0x60);
	out(dev, FCR, 0x00);
	out(dev, DATA, 1);
	out(dev, DATA, 2); /* without FIFO there is room for one */
	assert_int_equal(in(dev, LSR), 0x63);
	assert_int_equal(in(dev, DATA), 1);
	dfd_device_close(dev);
}

/* All causes at once, taken away from the highest priority down. */
static void test_priorities(void **state)
{
	struct dfd_device *dev = open_uart("uart");

	(void)state;
	out(dev, FCR, 0x41); /* trigger at 4 */
	out(dev, MCR, LOOP | 0x02);
	out(dev, IER, 0x0f);
	for (unsigned int i = 0; i < 17; i++)
		out(dev, DATA, 7);
	assert_int_equal(in(dev, IIR), 0xc6);
	assert_int_equal(in(dev, LSR) & 2, 2);
	for (unsigned int i = 0; i < 13; i++) {
		assert_int_equal(in(dev, IIR), 0xc4);
		in(dev, DATA);
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(in(dev, IIR), 0xcc);
		in(dev, DATA);
	}
	assert_int_equal(in(dev, IIR), 0xc2); /* reading takes it away */
	assert_int_equal(in(dev, IIR), 0xc0);
	assert_int_equal(in(dev, MSR), 0x1a); /* CTS stayed, DSR and DCD went */
	assert_int_equal(in(dev, IIR), FIFOS);
	dfd_device_close(dev);
}

static void test_modem_lines(void **state)
{
	struct dfd_device *dev = open_uart("uart");

	(void)state;
	assert_int_equal(in(dev, MSR), 0xb0);
	out(dev, MCR, 0xff);
	assert_int_equal(in(dev, MCR), 0x1f);
	assert_int_equal(in(dev, MSR), 0xf0); /* that it begins to ring is no event */
	out(dev, MCR, LOOP | 0x0b);
	assert_int_equal(in(dev, MSR), 0xb4);
	out(dev, MCR, LOOP);
	assert_int_equal(in(dev, MSR), 0x0b);
	assert_int_equal(in(dev, MSR), 0x00);
	dfd_device_close(dev);
}

static void test_interrupts(void **state)
{
	struct dfd_device *dev = open_uart("uart");

	(void)state;
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_INTX, 1), 0);
	out(dev, IER, 0x01);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);
	out(dev, DATA, 'x');
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 1000), 1);
	assert_int_equal(in(dev, IIR), 0x04);
	assert_int_equal(in(dev, DATA), 'x');
	assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);

	/* The transmitter is empty: enabling says so. */
	out(dev, IER, 0x02);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 1000), 1);
	assert_int_equal(in(dev, IIR), 0x02);
	assert_int_equal(in(dev, IIR), 0x01);
	assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);
	out(dev, IER, 0x02); /* it was on before */
	assert_int_equal(in(dev, IIR), 0x01);
	out(dev, DATA, 'y');
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 1000), 1);
	assert_int_equal(dfd_device_reset(dev), 0);
	set_command(dev, 7);
	assert_int_equal(in(dev, IER), 0);
	assert_int_equal(in(dev, LSR), 0x60);
	assert_int_equal(in(dev, MSR), 0xb0);
	dfd_device_close(dev);
}

static void test_file(void **state)
{
	char path[] = "uart-test-XXXXXX", spec[64], text[8] = "";
	int fd = mkstemp(path);
	struct dfd_device *dev;

	(void)state;
	assert_true(fd >= 0);
	snprintf(spec, sizeof(spec), "uart,backend=file=%s", path);
	dev = open_uart(spec);
	out(dev, DATA, 'h');
	out(dev, DATA, 'i');
	assert_int_equal(in(dev, LSR), 0x60);
	out(dev, MCR, LOOP);
	out(dev, DATA, '!'); /* stays inside */
	assert_int_equal(in(dev, DATA), '!');
	dfd_device_close(dev);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	assert_string_equal(text, "hi");
	close(fd);
	unlink(path);
}

static void count_line(void *ctx, const char *text)
{
	assert_non_null(strstr(text, "bytes are lost"));
	++*(int *)ctx;
}

/* The reader of a pipe may come late, and go: neither ends the process. A full one is told once. */
static void test_pipe(void **state)
{
	char path[] = "uart-test-XXXXXX", spec[64], text[8] = "";
	int fd = mkstemp(path), lines = 0;
	struct dfd_device *dev;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(spec, sizeof(spec), "uart,backend=file=%s", path);
	dev = open_uart(spec);
	dfd_device_watch_log(dev, count_line, &lines);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	out(dev, DATA, 'a');
	assert_int_equal(read(fd, text, sizeof(text)), 1);
	assert_string_equal(text, "a");
	close(fd);
	for (int i = 0; i < 70000; i++)
		out(dev, DATA, 'b');
	assert_int_equal(lines, 1);
	dfd_device_close(dev);
	unlink(path);
}

/* A terminal: more than the FIFO holds waits outside, and an interrupt tells of what comes. */
static void test_terminal(void **state)
{
	char dir[] = "uart-test-XXXXXX", link[32], spec[64], text[40] = "";
	struct dfd_device *dev;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/tty", dir);
	snprintf(spec, sizeof(spec), "uart,backend=pty=%s", link);
	dev = open_uart(spec);
	fd = open(link, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	out(dev, DATA, '\n');
	out(dev, DATA, 3);
	for (size_t got = 0; got < 2;) { /* a terminal hands on what it has */
		ssize_t n = read(fd, text + got, sizeof(text) - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(text, "\n\003", 2);

	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_INTX, 1), 0);
	out(dev, FCR, 0x01);
	out(dev, IER, 0x01);
	assert_int_equal(write(fd, "abcdefghijklmnopqrst", 20), 20);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 60000), 1);
	for (int i = 0; i < 20; i++) {
		for (int n = 0; n < 60000 && in(dev, LSR) != 0x61; n++)
			usleep(1000);
		text[i] = (char)in(dev, DATA);
	}
	assert_int_equal(in(dev, LSR), 0x60);
	assert_memory_equal(text, "abcdefghijklmnopqrst", 20);
	close(fd);
	assert_int_equal(dfd_device_reset(dev), 0);
	dfd_device_close(dev);
	assert_int_equal(access(link, F_OK), -1);
	assert_int_equal(rmdir(dir), 0);
}

/* What a killed process has left is replaced, what another device serves is not. */
static void test_stale_link(void **state)
{
	char dir[] = "uart-test-XXXXXX", link[32], spec[64], text[160], name[64];
	struct dfd_device *dev, *other;
	struct dfd_error err;
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/tty", dir);
	snprintf(spec, sizeof(spec), "uart,backend=pty=%s", link);
	assert_int_equal(symlink("/dev/pts/999999", link), 0);
	dev = open_uart(spec);
	assert_int_equal(access(link, F_OK), 0);
	assert_int_equal(dfd_model_open(spec, &other, &err), -EBUSY);
	snprintf(text, sizeof(text),
		 "model:uart: %s leads to the terminal of another device; choose another link",
		 link);
	assert_string_equal(err.text, text);
	dfd_device_close(dev);

	/* Its number is used again, by a terminal of another kind. */
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) || unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	assert_int_equal(symlink(name, link), 0);
	dev = open_uart(spec);
	dfd_device_close(dev);
	close(master);
	assert_int_equal(rmdir(dir), 0);
}

static void test_refused(void **state)
{
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	assert_int_equal(dfd_model_open("uart,backend=socket", &dev, &err), -EINVAL);
	assert_string_equal(err.text,
			    "model:uart: backend=socket is none of loopback, pty=LINK and "
			    "file=PATH");
	assert_int_equal(dfd_model_open("uart,backend=file=/nowhere/x", &dev, &err), -ENOENT);
	assert_string_equal(err.text, "model:uart: /nowhere/x: No such file or directory");
	assert_int_equal(dfd_model_open("uart,backend=pty=/", &dev, &err), -EEXIST);
	assert_string_equal(err.text, "model:uart: link / to the terminal: File exists");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),    cmocka_unit_test(test_probe),
		cmocka_unit_test(test_fifo),	    cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_modem_lines), cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_file),	    cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_terminal),    cmocka_unit_test(test_stale_link),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
