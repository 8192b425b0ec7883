/* SPDX-License-Identifier: MIT */
/* What comes at an awkward moment: during service, inside a cancellation, while closing. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/provider.h>

/**
 * struct moment - a model without registers, and its driver's memory by message
 * @on_timer, @on_done: what the model does there
 * @token: of the last request
 * @sent, @timers, @dones: how often
 */
struct moment {
	void (*on_timer)(struct dfd_device *dev, unsigned int id);
	void (*on_done)(struct dfd_device *dev, int status);
	struct dfd_device *dev;
	struct dfd_dma_token token;
	unsigned int sent, timers, dones;
	int last_status, asked_again;
	uint8_t buf[8];
};

static void moment_timer(struct dfd_device *dev, unsigned int id)
{
	struct moment *m = dfd_device_priv(dev);

	m->timers++;
	if (m->on_timer)
		m->on_timer(dev, id);
}

static int moment_reset(struct dfd_device *dev)
{
	(void)dev;
	return 0;
}

static const struct dfd_device_ops moment_ops = {
	.size = sizeof(moment_ops),
	.name = "moment",
	.timer = moment_timer,
	.reset = moment_reset,
};

static int message_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	struct moment *m = ctx;

	(void)offset;
	(void)len;
	m->token = token;
	m->sent++;
	return 0;
}

static int message_write(void *ctx, uint64_t offset, const void *buf, size_t len,
			 struct dfd_dma_token token)
{
	(void)buf;
	return message_read(ctx, offset, len, token);
}

static int setup(void **state)
{
	static const struct dfd_dma_io io = { message_read, message_write };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	struct moment *m = calloc(1, sizeof(*m));
	const struct dfd_desc *desc;

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &moment_ops, m, NULL, &m->dev, NULL), 0);
	dfd_desc_unref(desc);
	assert_int_equal(dfd_dma_map(m->dev, &(struct dfd_dma_map){ .iova = 0x1000,
								    .size = 4096,
								    .prot = DFD_DMA_READ,
								    .kind = DFD_DMA_MESSAGE,
								    .io = &io,
								    .io_ctx = m }),
			 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct moment *m = *state;

	dfd_device_close(m->dev);
	free(m);
	return 0;
}

static void done(void *ctx, int status)
{
	struct moment *m = ctx;

	m->dones++;
	m->last_status = status;
	if (m->on_done)
		m->on_done(m->dev, status);
}

static int ask(struct moment *m)
{
	return dfd_dma_read(dfd_device_host(m->dev), 0x1000, m->buf, sizeof(m->buf), done, m);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void answer_now(struct dfd_device *dev, unsigned int id)
{
	const struct moment *m = dfd_device_priv(dev);

	(void)id;
	dfd_dma_complete(m->token, 0, m->buf, sizeof(m->buf));
}

/* Answered when service has looked for answers already: nobody else wakes the poller for it. */
static void test_answer_during_service(void **state)
{
	struct moment *m = *state;
	int fd = dfd_device_poll_fd(m->dev);

	assert_int_equal(ask(m), 0);
	m->on_timer = answer_now;
	assert_int_equal(dfd_timer(dfd_device_host(m->dev), 0, 1), 0);
	assert_int_equal(dfd_device_service(m->dev), 0);
	assert_int_equal(m->timers, 1);
	assert_true(m->dones || readable(fd));
	dfd_device_service(m->dev);
	assert_int_equal(m->dones, 1);
	assert_false(readable(fd));
}

static void defer_again(struct dfd_device *dev, unsigned int id)
{
	struct moment *m = dfd_device_priv(dev);

	if (id == 0)
		dfd_timer(dfd_device_host(dev), 0, 0);
	else
		m->on_timer = NULL;
}

/* A model that always has something to do at once does not hold up its own timers. */
static void test_deferred_and_timer(void **state)
{
	struct moment *m = *state;

	m->on_timer = defer_again;
	dfd_timer(dfd_device_host(m->dev), 0, 0);
	dfd_timer(dfd_device_host(m->dev), 1, 1);
	usleep(1);
	for (int i = 0; i < 3; i++)
		dfd_device_service(m->dev);
	assert_null(m->on_timer);
}

static void ask_again(struct dfd_device *dev, int status)
{
	struct moment *m = dfd_device_priv(dev);

	if (status)
		m->asked_again = ask(m);
}

/* A model that tries again what was cancelled must not leave a request behind the cancellation. */
static void test_retry_in_cancel(void **state)
{
	struct moment *m = *state;

	m->on_done = ask_again;
	assert_int_equal(ask(m), 0);
	assert_int_equal(dfd_device_reset(m->dev), 0);
	assert_int_equal(m->last_status, -ECANCELED);
	assert_int_equal(m->asked_again, -ECANCELED);
	assert_int_equal(m->dones, 1);
	assert_int_equal(ask(m), 0); /* afterwards all is as before */
	assert_int_equal(dfd_dma_unmap(m->dev, 0x1000, 4096, NULL), 0);
	assert_int_equal(m->asked_again, -ECANCELED);
	assert_int_equal(m->sent, 2);
	assert_int_equal(m->dones, 2);
}

static void ask_later(struct dfd_device *dev, int status)
{
	(void)status;
	dfd_timer(dfd_device_host(dev), 0, 0);
}

static void ask_on_timer(struct dfd_device *dev, unsigned int id)
{
	(void)id;
	ask(dfd_device_priv(dev));
}

/* Closing cancels last: nothing starts after that, as no answer could come any more. */
static void test_retry_in_close(void **state)
{
	struct moment *m = *state;

	m->on_done = ask_later;
	m->on_timer = ask_on_timer;
	assert_int_equal(ask(m), 0);
	dfd_device_close(m->dev);
	m->dev = NULL;
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->dones, 1);
}

/* ---- devices that are no models: operations of their own ---- */

/** struct source - @routed: duplicate of the eventfd that was set last; @services: calls */
struct source {
	int poll_fd, routed;
	atomic_uint services, enabled;
	pthread_t other;
};

static int source_poll_fd(struct dfd_device *dev)
{
	const struct source *s = dfd_device_priv(dev);

	return s->poll_fd;
}

static int source_service(struct dfd_device *dev)
{
	struct source *s = dfd_device_priv(dev);

	s->services++;
	return s->poll_fd < 0 ? 0 : -EIO;
}

static void *enable(void *arg)
{
	struct dfd_device *dev = arg;
	struct source *s = dfd_device_priv(dev);

	if (!dfd_irq_enable(dev, 0, 1))
		s->enabled++;
	return NULL;
}

/* While the first caller is in here another one enables the same interrupt, if it can. */
static int source_set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	struct source *s = dfd_device_priv(dev);
	bool first = s->routed < 0;

	close(s->routed);
	s->routed = dup(set->fds[0]);
	if (first) {
		pthread_create(&s->other, NULL, enable, dev);
		for (int i = 0; i < 20 && !s->enabled; i++)
			usleep(1000);
	}
	return 0;
}

static const struct dfd_device_ops source_ops = {
	.size = sizeof(source_ops),
	.name = "source",
	.set_irqs = source_set_irqs,
	.service = source_service,
	.poll_fd = source_poll_fd,
};

static struct dfd_device *source_new(struct source *s)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1 });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &source_ops, s, false, &dev), 0);
	dfd_desc_unref(desc);
	return dev;
}

/* A source that is gone stays readable for ever. */
static void test_thread_of_broken_source(void **state)
{
	struct source s = { .poll_fd = eventfd(1, 0), .routed = -1 };
	struct dfd_device *dev = source_new(&s);

	(void)state;
	assert_int_equal(dfd_service_thread(dev), 0);
	for (int i = 0; i < 60000 && !s.services; i++)
		usleep(1000);
	usleep(5000);
	assert_int_equal(s.services, 1);
	dfd_device_close(dev);
	close(s.poll_fd);
}

/* Two threads enable one interrupt: whichever is last, what is waited for is what is signalled. */
static void test_enable_twice_at_once(void **state)
{
	struct source s = { .poll_fd = -EOPNOTSUPP, .routed = -1 };
	struct dfd_device *dev = source_new(&s);
	const uint64_t one = 1;

	(void)state;
	assert_int_equal(dfd_irq_enable(dev, 0, 1), 0);
	pthread_join(s.other, NULL);
	assert_int_equal(s.enabled, 1);
	assert_int_equal(write(s.routed, &one, sizeof(one)), sizeof(one));
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 0), 1);
	close(s.routed);
	dfd_device_close(dev);
}

/* Without its size a table of operations could not grow. */
static void test_ops_without_size(void **state)
{
	static const struct dfd_device_ops ops = { .name = "sizeless" };
	const struct moment *m = *state;
	const struct dfd_desc *desc = dfd_device_desc(m->dev);
	struct dfd_device *dev;
	struct dfd_error err;

	assert_int_equal(dfd_device_new(desc, &ops, NULL, true, &dev), -EINVAL);
	assert_int_equal(dfd_model_new(desc, &ops, NULL, NULL, &dev, &err), -EINVAL);
	assert_string_equal(err.text, "struct dfd_device_ops has a size of 0; set .size to its "
				      "sizeof");
}

static int zeros_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	(void)index;
	*fd = *(int *)dfd_device_priv(dev);
	*offset = 0;
	return 0;
}

/* What is mapped is whole pages: none may show a part of the region beyond the area. */
static void test_map_whole_pages(void **state)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops), .region_map = zeros_map };
	const struct dfd_area area = { 0, 0x1800 };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	int fd = open("/dev/zero", O_RDWR);
	const struct dfd_desc *desc;
	struct dfd_device *dev;
	void *addr;

	(void)state;
	dfd_desc_add_region(b, &(struct dfd_region){ .size = 0x100000,
						     .flags = DFD_REGION_MAPPABLE,
						     .areas = &area,
						     .num_areas = 1 });
	dfd_desc_add_region(b, &(struct dfd_region){
				       .index = 1, .size = 0x1800, .flags = DFD_REGION_MAPPABLE });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &ops, &fd, true, &dev), 0);
	assert_int_equal(dfd_region_mmap(dev, 0, 0, 16, PROT_READ, &addr), 0);
	assert_int_equal(munmap(addr, 16), 0);
	assert_int_equal(dfd_region_mmap(dev, 0, 0, 0x1800, PROT_READ, &addr), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 1, 0, 0x1800, PROT_READ, &addr), 0);
	assert_int_equal(munmap(addr, 0x1800), 0);
	assert_int_equal(dfd_region_mmap(dev, 1, 0, 0x2001, PROT_READ, &addr), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 0, 0, SIZE_MAX, PROT_READ, &addr), -EINVAL);
	dfd_device_close(dev);
	dfd_desc_unref(desc);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answer_during_service, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deferred_and_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry_in_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry_in_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ops_without_size, setup, teardown),
		cmocka_unit_test(test_map_whole_pages),
		cmocka_unit_test(test_thread_of_broken_source),
		cmocka_unit_test(test_enable_twice_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
