/* SPDX-License-Identifier: MIT */
/*
 * A pseudo terminal and a link to it, see terminal.h.
 *
 * A process that is killed leaves its link behind, and the number of its terminal is used again by
 * any program. So whoever serves a terminal holds a lock on it that no other program uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <devfd/error.h>

#include "model/terminal.h"

#define TERMINALS "/dev/pts/"

static bool lock_terminal(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(fd, F_OFD_SETLK, &lock);
}

/* Raw: what is typed is what arrives. */
static int make(struct terminal *t, int *master, char *name, size_t len)
{
	struct termios settings;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) || unlockpt(*master) || ptsname_r(*master, name, len))
		return -errno;
	t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || tcgetattr(t->slave, &settings))
		return -errno;
	cfmakeraw(&settings);
	if (tcsetattr(t->slave, TCSANOW, &settings) || !lock_terminal(t->slave))
		return -errno;
	return 0;
}

static bool leads_to(const char *link, const char *start)
{
	char target[64];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	return !strncmp(target, start, strlen(start));
}

/* Nobody serves it: the terminal is gone, or is another program's by now. */
static bool is_stale(const char *link)
{
	int fd = open(link, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	bool stale;

	if (fd < 0)
		return errno == ENOENT || errno == EIO || errno == ENXIO;
	stale = lock_terminal(fd);
	close(fd);
	return stale;
}

static int link_terminal(const char *name, const char *path, struct dfd_error *err)
{
	int ret = symlink(name, path) ? -errno : 0;

	if (ret == -EEXIST && leads_to(path, TERMINALS)) {
		if (!is_stale(path))
			return dfd_error_set(err, -EBUSY,
					     "model:uart: %s leads to the terminal of another "
					     "device; choose another link",
					     path);
		unlink(path);
		ret = symlink(name, path) ? -errno : 0;
	}
	return ret ? dfd_error_set(err, ret, "model:uart: link %s to the terminal: %s", path,
				   strerror(-ret))
		   : 0;
}

int terminal_open(struct terminal *t, const char *link, int *master, struct dfd_error *err)
{
	char name[64];
	int ret = make(t, master, name, sizeof(name));

	if (ret)
		return dfd_error_set(err, ret, "model:uart: no terminal can be made: %s",
				     strerror(-ret));
	ret = link_terminal(name, link, err);
	if (ret)
		return ret;
	t->link = strdup(link);
	return t->link ? 0 : dfd_error_set(err, -ENOMEM, "out of memory");
}

void terminal_close(struct terminal *t)
{
	if (t->link)
		unlink(t->link);
	free(t->link);
	if (t->slave >= 0)
		close(t->slave);
}
