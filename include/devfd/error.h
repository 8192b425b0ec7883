/* SPDX-License-Identifier: MIT */
/*
 * Errors.
 *
 * Every call of the library that can fail returns 0 or a positive value, or a negative errno.
 * Calls that can fail for a reason a person must read take an optional struct dfd_error as their
 * last argument. The library never prints, exits or aborts.
 */
#ifndef DEVFD_ERROR_H
#define DEVFD_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dfd_error - why a call failed
 * @code: the negative errno that the call returned, 0 when nothing failed
 * @text: one sentence without a final full stop: the object, what was found, what to do
 *
 * Owned by the caller; no initialisation is needed. Only written on failure.
 */
struct dfd_error {
	int code;
	char text[508];
};

/**
 * dfd_error_set() - fill an error object (for implementers)
 * @err: where to store, or NULL
 * @code: a negative errno
 * @fmt: printf format of the sentence; longer than @text is cut in its middle
 *
 * Return: @code, so that `return dfd_error_set(err, -EINVAL, ...)` reads well.
 */
int dfd_error_set(struct dfd_error *err, int code, const char *fmt, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 3, 4)))
#endif
	;

#ifdef __cplusplus
}
#endif
#endif
