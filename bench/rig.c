/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <devfd/open.h>
#include <devfd/provider.h>
#include <devfd/serve.h>

#include "rig.h"

/** struct model - @left: transfers to begin; @going: under way */
struct model {
	uint32_t regs[8];
	uint32_t left, going;
	bool is_write;
	uint8_t *slots[RIG_INFLIGHT];
};

static void go_on(struct dfd_device *dev);

static void done(void *ctx, int status)
{
	struct dfd_device *dev = ctx;
	struct model *m = dfd_device_priv(dev);

	m->going--;
	if (status == -ECANCELED)
		m->left = 0;
	else
		bench_must(!status, "DMA");
	go_on(dev);
}

static int begin_one(struct dfd_device *dev, struct model *m)
{
	struct dfd_host *host = dfd_device_host(dev);
	uint32_t slot = m->left % RIG_INFLIGHT, len = m->regs[RIG_LEN / 4];
	uint64_t iova = RIG_IOVA + (uint64_t)slot * RIG_MAX;

	return m->is_write ? dfd_dma_write(host, iova, m->slots[slot], len, done, dev)
			   : dfd_dma_read(host, iova, m->slots[slot], len, done, dev);
}

static void go_on(struct dfd_device *dev)
{
	struct model *m = dfd_device_priv(dev);

	while (m->left && m->going < RIG_INFLIGHT) {
		bench_must(begin_one(dev, m) == 0, "beginning DMA");
		m->left--;
		m->going++;
	}
	if (!m->going)
		dfd_irq_level(dfd_device_host(dev), 0, true);
	dfd_irq_level(dfd_device_host(dev), 0, false);
}

static void touch(struct dfd_device *dev, uint32_t pages)
{
	char byte;

	for (uint64_t i = 0; i < pages; i++)
		bench_must(dfd_dma_read(dfd_device_host(dev), RIG_IOVA + i * 4096, &byte, 1, done,
					dev) == 1,
			   "touching memory");
}

static ssize_t model_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			  size_t len)
{
	const struct model *m = dfd_device_priv(dev);

	(void)index;
	memcpy(buf, (const uint8_t *)m->regs + offset, len);
	return (ssize_t)len;
}

static ssize_t model_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			   size_t len)
{
	struct model *m = dfd_device_priv(dev);

	(void)index;
	memcpy((uint8_t *)m->regs + offset, buf, len);
	if (offset == RIG_TOUCH)
		touch(dev, m->regs[RIG_TOUCH / 4]);
	if (offset == RIG_RAISE || offset == RIG_READ || offset == RIG_WRITE) {
		m->left = offset == RIG_RAISE ? 0 : m->regs[offset / 4];
		m->is_write = offset == RIG_WRITE;
		go_on(dev);
	}
	return (ssize_t)len;
}

static const struct dfd_device_ops model_ops = {
	.size = sizeof(model_ops),
	.name = "rig",
	.region_read = model_read,
	.region_write = model_write,
};

static struct dfd_device *model_new(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	struct model *m = calloc(1, sizeof(*m));
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	for (unsigned int i = 0; m && i < RIG_INFLIGHT; i++) {
		m->slots[i] = malloc(RIG_MAX);
		memset(m->slots[i], 1, RIG_MAX);
	}
	dfd_desc_add_region(b, &(struct dfd_region){ .size = sizeof(m->regs) });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1, .flags = 0 });
	bench_must(!dfd_desc_build(b, &desc, NULL), "describing a device");
	bench_must(!dfd_model_new(desc, &model_ops, m, NULL, &dev, NULL), "making a device");
	dfd_desc_unref(desc);
	return dev;
}

/** struct server - what the child is to do; the sockets listen before there is a child */
struct server {
	int fds[RIG_DEVICES];
	unsigned int devices;
	bool poll;
};

static void serve(void *ctx)
{
	const struct server *s = ctx;
	struct dfd_server *srv;

	bench_must(!dfd_server_new(&srv), "making a server");
	if (s->poll)
		bench_must(!dfd_server_set_poll(srv, true), "polling");
	for (unsigned int i = 0; i < s->devices; i++)
		bench_must(!dfd_server_add_fd(srv, model_new(), s->fds[i], NULL), "serving");
	while (!dfd_server_wait(srv, -1))
		;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	bench_must(fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 4),
		   "listening");
	return fd;
}

void rig_start(struct rig *rig, unsigned int devices, unsigned int core, bool poll)
{
	struct server server = { .devices = devices, .poll = poll };

	rig->devices = devices;
	strcpy(rig->dir, "/tmp/devfd-bench-XXXXXX");
	bench_must(mkdtemp(rig->dir), "making a directory");
	for (unsigned int i = 0; i < devices; i++) {
		snprintf(rig->paths[i], sizeof(rig->paths[i]), "%s/%u", rig->dir, i);
		server.fds[i] = listen_at(rig->paths[i]);
	}
	rig->pid = bench_child(core, serve, &server);
	for (unsigned int i = 0; i < devices; i++)
		close(server.fds[i]);
}

void rig_end(struct rig *rig)
{
	bench_end(rig->pid);
	for (unsigned int i = 0; i < rig->devices; i++)
		unlink(rig->paths[i]);
	rmdir(rig->dir);
}

struct dfd_device *rig_open(const struct rig *rig, unsigned int n, const char *options)
{
	struct dfd_device *dev;
	struct dfd_error err;
	char address[128];

	snprintf(address, sizeof(address), "user:%s%s", rig->paths[n], options);
	if (dfd_open(address, &dev, &err)) {
		fprintf(stderr, "bench: %s\n", err.text);
		rig_end((struct rig *)(uintptr_t)rig);
		exit(1);
	}
	return dev;
}
