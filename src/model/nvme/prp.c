/* SPDX-License-Identifier: MIT */
/*
 * The data of a command, which lies in the pages that its PRP entries name.
 *
 * nvme_transfer_resume() does what can be done now: fetch a part of the PRP list, have the data
 * filled in, then move page after page. It is called again when DMA has ended, or when there is
 * room for more.
 */
#include <errno.h>

#include "model/nvme/nvme.h"

static uint32_t page_offset(uint64_t address)
{
	return (uint32_t)(address % NVME_PAGE);
}

static uint32_t pages_needed(const struct nvme_request *r)
{
	return (page_offset(r->cmd.prp[0]) + r->len + NVME_PAGE - 1) / NVME_PAGE;
}

/* Return: the bytes of a page that are moved, and where they are in r->data. */
static uint32_t piece(const struct nvme_request *r, uint32_t page, uint32_t *at)
{
	uint32_t first = NVME_PAGE - page_offset(r->cmd.prp[0]);
	uint32_t left;

	*at = page ? first + (page - 1) * NVME_PAGE : 0;
	left = r->len - *at;
	if (!page && left > first)
		return first;
	return left < NVME_PAGE ? left : NVME_PAGE;
}

static void finish(struct nvme_request *r, uint16_t status)
{
	if (r->pending || nvme_request_gone(r))
		return;
	if (status)
		nvme_complete(r, status);
	else
		r->then(r);
}

/* ---- the PRP list ---- */

/* The entries of one page of the list; with more to come the last one leads to the next page. */
static uint16_t take_entries(struct nvme_request *r)
{
	uint32_t count = r->list_len / 8, wanted = pages_needed(r) - r->num_pages;

	r->list = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t entry = dfd_reg_load(r->entries + 8 * (size_t)i, 8);

		if (page_offset(entry))
			return NVME_INVALID_PRP_OFFSET;
		if (i == count - 1 && count < wanted)
			r->list = entry;
		else
			r->pages[r->num_pages++] = entry;
	}
	return r->list || r->num_pages == pages_needed(r) ? NVME_OK : NVME_INVALID_FIELD;
}

static void entries_done(void *ctx, int status)
{
	struct nvme_request *r = ctx;

	r->pending = 0;
	nvme_kick(r->n);
	r->status = status ? NVME_TRANSFER_ERROR : take_entries(r);
	if (r->status || r->dropped)
		finish(r, r->status);
	else
		nvme_transfer_resume(r);
}

/* Return: as dfd_dma_read(). */
static int fetch_entries(struct nvme_request *r)
{
	uint32_t room = NVME_PAGE - page_offset(r->list);
	uint32_t wanted = (pages_needed(r) - r->num_pages) * 8;

	r->list_len = room < wanted ? room : wanted;
	return dfd_dma_read(nvme_host(r->n), r->list, r->entries, r->list_len, entries_done, r);
}

/*
 * A page of the list that does not start at offset 0 is the first one, all others hold 512 entries;
 * so this ends after two rounds.
 */
static bool know_pages(struct nvme_request *r)
{
	while (!r->status && r->list) {
		int ret = fetch_entries(r);

		if (!ret)
			r->pending = 1;
		if (!ret || ret == -EAGAIN)
			return false;
		r->status = ret < 0 ? NVME_TRANSFER_ERROR : take_entries(r);
	}
	return true;
}

static uint16_t first_pages(struct nvme_request *r)
{
	uint32_t needed = pages_needed(r);

	r->pages[0] = r->cmd.prp[0];
	r->num_pages = 1;
	r->next_page = 0;
	r->list = 0;
	if (r->cmd.prp[0] % 4)
		return NVME_INVALID_PRP_OFFSET;
	if (needed == 2) {
		r->pages[r->num_pages++] = r->cmd.prp[1];
		return page_offset(r->cmd.prp[1]) ? NVME_INVALID_PRP_OFFSET : NVME_OK;
	}
	if (needed > 2) {
		r->list = r->cmd.prp[1];
		if (!r->list || r->list % 8)
			return NVME_INVALID_PRP_OFFSET;
	}
	return NVME_OK;
}

/* ---- data ---- */

static void page_done(void *ctx, int status)
{
	struct nvme_request *r = ctx;

	r->pending--;
	nvme_kick(r->n);
	if (status)
		r->status = NVME_TRANSFER_ERROR;
	if (!r->dropped && !r->status && r->next_page < r->num_pages)
		nvme_transfer_resume(r);
	else
		finish(r, r->status);
}

static int move_page(struct nvme_request *r, uint32_t page)
{
	struct dfd_host *host = nvme_host(r->n);
	uint32_t at, len = piece(r, page, &at);

	if (r->to_driver)
		return dfd_dma_write(host, r->pages[page], r->data + at, len, page_done, r);
	return dfd_dma_read(host, r->pages[page], r->data + at, len, page_done, r);
}

bool nvme_pages_get(struct nvme_request *r, struct iovec pages[NVME_MAX_PAGES])
{
	for (uint32_t i = 0; i < r->num_pages; i++) {
		uint32_t at, len = piece(r, i, &at);

		pages[i] = (struct iovec){
			dfd_dma_get(nvme_host(r->n), r->pages[i], len, DFD_DMA_WRITE), len
		};
		if (pages[i].iov_base)
			continue;
		nvme_pages_put(r, pages, false);
		return false;
	}
	return true;
}

void nvme_pages_put(struct nvme_request *r, const struct iovec pages[NVME_MAX_PAGES], bool written)
{
	for (uint32_t i = 0; i < r->num_pages && pages[i].iov_base; i++)
		dfd_dma_put(nvme_host(r->n), pages[i].iov_base, written ? pages[i].iov_len : 0);
}

static void fill(struct nvme_request *r)
{
	uint16_t (*filler)(struct nvme_request *) = r->fill;

	r->fill = NULL;
	if (filler && !r->status)
		r->status = filler(r);
}

void nvme_transfer_resume(struct nvme_request *r)
{
	if (!know_pages(r))
		return;
	fill(r);
	while (!r->status && r->next_page < r->num_pages) {
		int ret = move_page(r, r->next_page);

		if (ret == -EAGAIN)
			return;
		if (ret < 0)
			r->status = NVME_TRANSFER_ERROR;
		r->pending += !ret;
		r->next_page++;
	}
	finish(r, r->status);
}

static void transfer(struct nvme_request *r, uint32_t len, bool to_driver,
		     uint16_t (*filler)(struct nvme_request *r),
		     void (*then)(struct nvme_request *r))
{
	r->state = REQUEST_MOVING;
	r->len = len;
	r->to_driver = to_driver;
	r->fill = filler;
	r->then = then;
	r->status = first_pages(r);
	nvme_transfer_resume(r);
}

void nvme_transfer(struct nvme_request *r, uint32_t len, bool to_driver,
		   void (*then)(struct nvme_request *r))
{
	transfer(r, len, to_driver, NULL, then);
}

static void answered(struct nvme_request *r)
{
	nvme_complete(r, NVME_OK);
}

void nvme_answer(struct nvme_request *r, uint32_t len)
{
	transfer(r, len, true, NULL, answered);
}

void nvme_answer_later(struct nvme_request *r, uint32_t len,
		       uint16_t (*filler)(struct nvme_request *r))
{
	transfer(r, len, true, filler, answered);
}
