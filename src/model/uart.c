/* SPDX-License-Identifier: MIT */
/*
 * model:uart, a PCI serial card with one 16550A, as QEMU's pci-serial has it.
 *
 * Theory of operation: a byte is sent in the moment in which it is written, so that the transmitter
 * is always empty again, whatever the divisor says. What is received waits in the FIFO; one byte
 * more is an overrun, as on hardware. Below the trigger level the character time-out comes at once.
 * The interrupt line follows IIR; OUT2 does not gate it, as on other PCI cards.
 *
 * Where bytes go is the backend: `loopback` brings them back, `file=PATH` appends them to a file
 * and receives nothing, `pty=LINK` is a terminal to which LINK leads. Loopback by MCR is inside the
 * chip and comes before any. A model cannot wait for an fd, so that the terminal is looked at every
 * 10 ms and whenever the driver asks for received bytes; it keeps what the FIFO has no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model.h"
#include "model/terminal.h"

enum uart_register { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define NUM_REGISTERS 8u
#define FIFO_SIZE     16u
#define POLL_NS	      UINT64_C(10000000)

#define IER_RECEIVED 0x01u
#define IER_EMPTY    0x02u
#define IER_LINE     0x04u
#define IER_MODEM    0x08u

#define IIR_MODEM    0x00u
#define IIR_NONE     0x01u
#define IIR_EMPTY    0x02u
#define IIR_RECEIVED 0x04u
#define IIR_LINE     0x06u
#define IIR_TIMEOUT  0x0cu
#define IIR_FIFOS    0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_TRIGGER  6 /* the upper two bits */

#define LCR_DLAB 0x80u

#define MCR_DTR	     0x01u
#define MCR_RTS	     0x02u
#define MCR_OUT1     0x04u
#define MCR_OUT2     0x08u
#define MCR_LOOP     0x10u
#define MCR_WRITABLE 0x1fu

#define LSR_READY   0x01u
#define LSR_OVERRUN 0x02u
#define LSR_EMPTY   0x60u /* holding register and shift register */

#define MSR_RING_WENT 0x04u
#define MSR_CTS	      0x10u
#define MSR_DSR	      0x20u
#define MSR_RING      0x40u
#define MSR_DCD	      0x80u
#define MSR_LINES     0xf0u
#define MSR_DELTAS    0x0fu

/* Everything that a reset clears. */
struct uart_state {
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t msr;
	bool overrun;
	bool empty_pending; /* the transmitter has become empty, and nobody has seen it in IIR */
	uint8_t fifo[FIFO_SIZE];
	unsigned int head, count;
};

struct uart {
	int fd;	     /* -1: loopback */
	bool losing; /* the backend has not taken the last byte */
	struct terminal terminal;
	struct uart_state s;
};

/* ---- interrupts ---- */

static unsigned int trigger_level(const struct uart_state *s)
{
	static const unsigned int levels[] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? levels[s->fcr >> FCR_TRIGGER] : 1;
}

/* The cause of the highest priority. */
static uint8_t cause(const struct uart_state *s)
{
	if (s->ier & IER_LINE && s->overrun)
		return IIR_LINE;
	if (s->ier & IER_RECEIVED && s->count >= trigger_level(s))
		return IIR_RECEIVED;
	if (s->ier & IER_RECEIVED && s->count)
		return IIR_TIMEOUT;
	if (s->ier & IER_EMPTY && s->empty_pending)
		return IIR_EMPTY;
	if (s->ier & IER_MODEM && s->msr & MSR_DELTAS)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_line(struct dfd_device *dev)
{
	const struct uart *u = dfd_device_priv(dev);

	dfd_irq_level(dfd_device_host(dev), DFD_PCI_INTX, cause(&u->s) != IIR_NONE);
}

/* ---- data ---- */

static void receive(struct uart_state *s, uint8_t byte)
{
	unsigned int room = s->fcr & FCR_ENABLE ? FIFO_SIZE : 1;

	if (s->count < room)
		s->fifo[(s->head + s->count++) % FIFO_SIZE] = byte;
	else
		s->overrun = true;
}

static uint8_t take(struct uart_state *s)
{
	uint8_t byte = s->fifo[s->head];

	if (!s->count)
		return 0;
	s->head = (s->head + 1) % FIFO_SIZE;
	s->count--;
	return byte;
}

/* Only as much as there is room for: the rest waits in the terminal. */
static void receive_from_terminal(struct uart *u)
{
	uint8_t bytes[FIFO_SIZE];
	unsigned int room = (u->s.fcr & FCR_ENABLE ? FIFO_SIZE : 1) - u->s.count;
	ssize_t n = !u->terminal.link || !room ? 0 : read(u->fd, bytes, room);

	for (ssize_t i = 0; i < n; i++)
		receive(&u->s, bytes[i]);
}

/* A full disk or a terminal that nobody reads is told of once, not for every byte. */
static void send_out(struct dfd_device *dev, uint8_t byte)
{
	struct uart *u = dfd_device_priv(dev);
	bool lost = write(u->fd, &byte, 1) != 1;

	if (lost && !u->losing)
		dfd_device_log(dev, "uart: bytes are lost: %s", strerror(errno));
	u->losing = lost;
}

static void transmit(struct dfd_device *dev, uint8_t byte)
{
	struct uart *u = dfd_device_priv(dev);

	if (u->s.mcr & MCR_LOOP || u->fd < 0)
		receive(&u->s, byte);
	else
		send_out(dev, byte);
	u->s.empty_pending = true;
}

/* ---- modem lines ---- */

/* In loopback the outputs come back; otherwise somebody is there and ready. */
static uint8_t modem_lines(const struct uart_state *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (s->mcr & MCR_OUT1 ? MSR_RING : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* Of the ring indicator only the end is told. */
static void update_modem(struct uart_state *s)
{
	uint8_t lines = modem_lines(s), changed = (lines ^ s->msr) & MSR_LINES;
	uint8_t deltas = changed >> 4;

	if (lines & MSR_RING)
		deltas &= (uint8_t)~MSR_RING_WENT;
	s->msr = (uint8_t)(lines | (s->msr & MSR_DELTAS) | deltas);
}

/* ---- registers ---- */

static void write_fcr(struct uart_state *s, uint8_t value)
{
	if (value & FCR_CLEAR_RX || (value ^ s->fcr) & FCR_ENABLE)
		s->count = 0;
	/* The other bits are only looked at with the FIFOs on. */
	s->fcr = value & FCR_ENABLE ? value : 0;
}

static void write_ier(struct uart_state *s, uint8_t value)
{
	if (value & ~s->ier & IER_EMPTY)
		s->empty_pending = true;
	s->ier = value & 0x0f;
}

static uint8_t read_iir(struct uart_state *s)
{
	uint8_t value = cause(s);

	if (value == IIR_EMPTY)
		s->empty_pending = false;
	return (uint8_t)(value | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart_state *s)
{
	unsigned int value = LSR_EMPTY | (s->count ? LSR_READY : 0);

	value |= s->overrun ? LSR_OVERRUN : 0;
	s->overrun = false;
	return (uint8_t)value;
}

static uint8_t read_msr(struct uart_state *s)
{
	uint8_t value = s->msr;

	s->msr &= MSR_LINES;
	return value;
}

static uint8_t read_register(struct uart_state *s, uint64_t offset)
{
	bool divisor = s->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		return divisor ? s->dll : take(s);
	case REG_IER:
		return divisor ? s->dlm : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_divisor(struct uart_state *s, uint64_t offset, uint8_t value)
{
	if (offset == REG_DATA)
		s->dll = value;
	else
		s->dlm = value;
}

static void write_register(struct dfd_device *dev, uint64_t offset, uint8_t value)
{
	struct uart *u = dfd_device_priv(dev);
	struct uart_state *s = &u->s;

	if (s->lcr & LCR_DLAB && offset <= REG_IER) {
		write_divisor(s, offset, value);
		return;
	}
	switch (offset) {
	case REG_DATA:
		transmit(dev, value);
		break;
	case REG_IER:
		write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_WRITABLE;
		update_modem(s);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

static ssize_t uart_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			 size_t len)
{
	struct uart *u = dfd_device_priv(dev);

	(void)index;
	if (len != 1)
		return -EIO;
	if (offset != REG_DATA)
		receive_from_terminal(u);
	*(uint8_t *)buf = read_register(&u->s, offset);
	update_line(dev);
	return 1;
}

static ssize_t uart_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			  size_t len)
{
	(void)index;
	if (len != 1)
		return -EIO;
	write_register(dev, offset, *(const uint8_t *)buf);
	update_line(dev);
	return 1;
}

static void uart_timer(struct dfd_device *dev, unsigned int id)
{
	receive_from_terminal(dfd_device_priv(dev));
	update_line(dev);
	dfd_timer(dfd_device_host(dev), id, POLL_NS);
}

/* The library has stopped the timer. */
static int uart_reset(struct dfd_device *dev)
{
	struct uart *u = dfd_device_priv(dev);

	u->s = (struct uart_state){ .msr = modem_lines(&(struct uart_state){ 0 }) };
	if (u->terminal.link)
		dfd_timer(dfd_device_host(dev), 0, POLL_NS);
	return 0;
}

static void uart_free(struct uart *u)
{
	terminal_close(&u->terminal);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static void uart_close(struct dfd_device *dev)
{
	uart_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops uart_ops = {
	.size = sizeof(uart_ops),
	.name = "uart",
	.region_read = uart_read,
	.region_write = uart_write,
	.timer = uart_timer,
	.reset = uart_reset,
	.close = uart_close,
};

/* ---- making one ---- */

static const struct dfd_model_option uart_options[] = {
	{ "backend", DFD_OPTION_TEXT, .help = "loopback, pty=LINK for a terminal, or file=PATH" },
};

/* The ids of QEMU's card, which Linux's 8250_pci knows. */
/* Of a pipe both ends are opened: without a reader, writing to it would be a SIGPIPE. */
static int open_file(struct uart *u, const char *path, struct dfd_error *err)
{
	const int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC;
	struct stat st;
	bool is_pipe = !stat(path, &st) && S_ISFIFO(st.st_mode);

	u->fd = open(path, flags | (is_pipe ? O_RDWR : O_WRONLY), 0666);
	if (u->fd < 0)
		return dfd_error_set(err, -errno, "model:uart: %s: %s", path, strerror(errno));
	return 0;
}

static int open_backend(struct uart *u, const char *backend, struct dfd_error *err)
{
	if (!backend || !strcmp(backend, "loopback"))
		return 0;
	if (!strcmp(backend, "file=") || !strcmp(backend, "pty="))
		return dfd_error_set(err, -EINVAL,
				     "model:uart: backend=%s names no file; write backend=%s%s",
				     backend, backend,
				     backend[0] == 'f' ? "PATH, a file to write to"
						       : "LINK, a path for a link to the terminal");
	if (!strncmp(backend, "file=", 5))
		return open_file(u, backend + 5, err);
	if (!strncmp(backend, "pty=", 4))
		return terminal_open(&u->terminal, backend + 4, &u->fd, err);
	return dfd_error_set(err, -EINVAL,
			     "model:uart: backend=%s is none of loopback, pty=LINK and file=PATH",
			     backend);
}

static int uart_create(const union dfd_option_value *values, struct dfd_device **out,
		       struct dfd_error *err)
{
	struct uart *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	u->fd = u->terminal.slave = -1;
	ret = open_backend(u, values[0].text, err);
	if (!ret) {
		struct dfd_desc_builder *b = dfd_pci_builder(&(struct dfd_pci_identity){
			"uart", 0x1b36, 0x0002, 0x1af4, 0x1100, 0x070002, 1, 0, 0 });

		dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0,
							     .flags = DFD_REGION_IOPORT,
							     .size = NUM_REGISTERS });
		ret = dfd_model_build(b, &uart_ops, u, NULL, out, err);
	}
	if (ret)
		uart_free(u);
	else
		uart_reset(*out); /* arms the timer */
	return ret;
}

const struct dfd_model_type dfd_model_uart = {
	.name = "uart",
	.help = "a PCI serial card with one 16550A: I/O ports and INTx",
	.options = uart_options,
	.num_options = 1,
	.create = uart_create,
};
