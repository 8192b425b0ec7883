/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc that walk through directories. Most look at files inside libc, where they
 * do not meet our functions: they start in the view, and what they tell is put back.
 */
#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "shim/shim.h"

/* ---- one directory ---- */

DIR *opendir(const char *path)
{
	char view[PATH_MAX];

	return NEXT(opendir)(shim_view(path, view));
}

int scandir(const char *path, struct dirent ***list, int (*select)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	char view[PATH_MAX];

	return NEXT(scandir)(shim_view(path, view), list, select, compare);
}

int scandirat(int dirfd, const char *path, struct dirent ***list,
	      int (*select)(const struct dirent *),
	      int (*compare)(const struct dirent **, const struct dirent **))
{
	char view[PATH_MAX];

	return NEXT(scandirat)(dirfd, shim_view(path, view), list, select, compare);
}

/* The same structure on 64-bit systems. */
int scandir64(const char *path, struct dirent64 ***list, int (*select)(const struct dirent64 *),
	      int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
	char view[PATH_MAX];

	return NEXT(scandir64)(shim_view(path, view), list, select, compare);
}

int scandirat64(int dirfd, const char *path, struct dirent64 ***list,
		int (*select)(const struct dirent64 *),
		int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
	char view[PATH_MAX];

	return NEXT(scandirat64)(dirfd, shim_view(path, view), list, select, compare);
}

/* ---- wildcards: libc lets us do what it would do inside ---- */

static void *glob_opendir(const char *path)
{
	return opendir(path);
}

static struct dirent *glob_readdir(void *dir)
{
	return readdir(dir);
}

static void glob_closedir(void *dir)
{
	closedir(dir);
}

int glob(const char *pattern, int flags, int (*failed)(const char *path, int code), glob_t *found)
{
	if (!shim_any() || (flags & GLOB_ALTDIRFUNC))
		return NEXT(glob)(pattern, flags, failed, found);
	found->gl_opendir = glob_opendir;
	found->gl_readdir = glob_readdir;
	found->gl_closedir = glob_closedir;
	found->gl_stat = stat;
	found->gl_lstat = lstat;
	return NEXT(glob)(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
}

/* The same structure on 64-bit systems. */
int glob64(const char *pattern, int flags, int (*failed)(const char *path, int code),
	   glob64_t *found)
{
	return glob(pattern, flags, failed, (glob_t *)found);
}

/* ---- trees: whoever is told gets the path as he knows it ---- */

static __thread __ftw_func_t ftw_told;
static __thread __nftw_func_t nftw_told;

static int tell_ftw(const char *path, const struct stat *st, int type)
{
	return ftw_told(path + shim_view_start(path), st, type);
}

static int tell_nftw(const char *path, const struct stat *st, int type, struct FTW *where)
{
	struct FTW moved = *where;
	size_t start = shim_view_start(path);

	moved.base -= (int)start;
	return nftw_told(path + start, st, type, &moved);
}

int ftw(const char *path, __ftw_func_t told, int depth)
{
	__ftw_func_t outer = ftw_told;
	char view[PATH_MAX];
	const char *from = shim_view(path, view);
	int ret;

	if (from == path)
		return NEXT(ftw)(path, told, depth);
	ftw_told = told;
	ret = NEXT(ftw)(from, tell_ftw, depth);
	ftw_told = outer;
	return ret;
}

int nftw(const char *path, __nftw_func_t told, int depth, int flags)
{
	__nftw_func_t outer = nftw_told;
	char view[PATH_MAX];
	const char *from = shim_view(path, view);
	int ret;

	if (from == path)
		return NEXT(nftw)(path, told, depth, flags);
	nftw_told = told;
	ret = NEXT(nftw)(from, tell_nftw, depth, flags);
	nftw_told = outer;
	return ret;
}

/* The same structure on 64-bit systems. */
int ftw64(const char *path, __ftw64_func_t told, int depth)
{
	return ftw(path, (__ftw_func_t)(void *)told, depth);
}

int nftw64(const char *path, __nftw64_func_t told, int depth, int flags)
{
	return nftw(path, (__nftw_func_t)(void *)told, depth, flags);
}

/* Its entries name the paths of the view as they are on this machine, which can be used as well. */
FTS *fts_open(char *const *paths, int options, int (*compare)(const FTSENT **, const FTSENT **))
{
	size_t count = 0;
	char **views;
	FTS *fts;

	while (paths[count])
		count++;
	views = calloc(count + 1, sizeof(*views) + PATH_MAX);
	if (!views)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		char *room = (char *)(views + count + 1) + i * PATH_MAX;
		const char *view = shim_view(paths[i], room);

		views[i] = view == room ? room : paths[i];
	}
	fts = NEXT(fts_open)(views, options, compare);
	free(views);
	return fts;
}

FTS64 *fts64_open(char *const *paths, int options,
		  int (*compare)(const FTSENT64 **, const FTSENT64 **))
{
	return (FTS64 *)fts_open(paths, options,
				 (int (*)(const FTSENT **, const FTSENT **))(void *)compare);
}
