/* SPDX-License-Identifier: MIT */
/*
 * Answers to requests by message, from who has an event loop: dfd_dma_complete() for any thread
 * copies and leaves the rest to the next service; here nothing is copied, and nothing is left.
 */
#ifndef DEVICE_DMA_ANSWER_H
#define DEVICE_DMA_ANSWER_H

#include <devfd/device.h>

/**
 * dma_answer_into() - put bytes of an answer where they belong
 * @offset: of them in the transfer, which is a read
 * @fill: gets the place of that byte, with the device locked; must not block nor call into it
 *
 * Return: what @fill returns; -ECANCELED when the request is over.
 */
ssize_t dma_answer_into(struct dfd_dma_token token, size_t offset,
			ssize_t (*fill)(void *ctx, void *at), void *ctx);

/** dma_answer_done() - the request is answered, and its bytes are in place; tells the model */
void dma_answer_done(struct dfd_dma_token token, int status);

#endif
