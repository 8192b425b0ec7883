/* SPDX-License-Identifier: MIT */
/*
 * A function goes from one driver to another.
 *
 * Theory of operation: driver_override comes first, so that in the moment without a driver nobody
 * else takes the function, and only functions that were named are touched: an entry in new_id would
 * take every function with the same ids. Then the driver it has is told to let go, and the one it
 * shall have to take it, by name: the kernel says then why it does not, which drivers_probe never
 * does. All of it follows from where the function is and where it shall be, so the same code binds,
 * undoes what it did, and restores, from wherever a process was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/bind.h"
#include "kernel/root.h"
#include "util/sysfs.h"

#define DEVICES "/sys/bus/pci/devices/"
#define DRIVERS "/sys/bus/pci/drivers/"

/* A driver may put probing off until something else is there. */
#define PAUSE_MS 100
#define PAUSES	 50

/* ---- the machine ---- */

static int real_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		ret = -errno;
	else if ((size_t)n < len)
		ret = -EIO;
	close(fd);
	return ret;
}

/* The shell of root has /sbin in its path, that of su may not. What it prints is not ours to say.
 */
static int real_load(const char *module)
{
	char name[] = "modprobe", copy[NAME_MAX + 1], *args[] = { name, copy, NULL };
	posix_spawn_file_actions_t silent;
	int ret, status;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", module);
	if (posix_spawn_file_actions_init(&silent))
		return -ENOMEM;
	ret = posix_spawn_file_actions_addopen(&silent, 1, "/dev/null", O_WRONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&silent, 1, 2);
	if (!ret && posix_spawn(&pid, "/sbin/modprobe", &silent, NULL, args, environ))
		ret = posix_spawnp(&pid, name, &silent, NULL, args, environ);
	posix_spawn_file_actions_destroy(&silent);
	if (ret)
		return -ret;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ENOENT;
}

static void real_pause(unsigned int ms)
{
	usleep(ms * 1000);
}

const struct bind_calls bind_calls = { real_write, real_load, real_pause };

/* ---- one change ---- */

void bind_tell(const struct bind_env *env, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	if (!env->options->tell)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	env->options->tell(env->options->ctx, line);
}

/* As `echo` writes it. */
static int change(struct bind_env *env, const char *path, const char *text)
{
	char full[PATH_MAX], line[NAME_MAX + 2];
	int ret = 0;

	bind_tell(env, "echo %s%s>%s", text, *text ? " " : "", path);
	if (env->options->dry_run)
		return 0;
	snprintf(full, sizeof(full), "%s%s", env->root, path);
	snprintf(line, sizeof(line), "%s\n", text);
	ret = env->calls->write(full, line);
	if (!ret)
		env->changes++;
	return ret;
}

static bool has_driver(const struct bind_env *env, const char *driver)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DRIVERS "%s", driver);
	return root_exists(env->root, path);
}

static int load_driver(struct bind_env *env, const char *driver, struct dfd_error *err)
{
	if (has_driver(env, driver))
		return 0;
	if (strcmp(env->loaded, driver) != 0)
		bind_tell(env, "modprobe %s", driver);
	snprintf(env->loaded, sizeof(env->loaded), "%s", driver);
	if (env->options->dry_run)
		return 0;
	/* What counts is what came of it. */
	env->calls->load(driver);
	if (has_driver(env, driver))
		return 0;
	return dfd_error_set(
		err, -ENOENT,
		"%s: this driver is not there, and modprobe does not bring it; install "
		"its module for this kernel",
		driver);
}

/* ---- where a function is ---- */

int placement_read(int dir, struct placement *out)
{
	int ret = dfd_sysfs_link_name(dir, "driver", out->driver, sizeof(out->driver));

	if (ret == -ENOENT) {
		out->driver[0] = '\0';
		ret = 0;
	}
	if (!ret)
		ret = dfd_sysfs_text(dir, "driver_override", out->override, sizeof(out->override));
	if (ret < 0)
		return ret;
	/* So the kernel prints that there is none. */
	if (!strcmp(out->override, "(null)"))
		out->override[0] = '\0';
	return 0;
}

static int read_named(const struct bind_env *env, const char *name, struct placement *out)
{
	char path[PATH_MAX];
	int dir, ret;

	*out = (struct placement){ 0 };
	snprintf(path, sizeof(path), "%s" DEVICES "%s", env->root, name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	ret = placement_read(dir, out);
	close(dir);
	return ret;
}

/* ---- the way ---- */

static int set_override(struct bind_env *env, const char *name, const char *override,
			struct dfd_error *err)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), DEVICES "%s/driver_override", name);
	ret = change(env, path, override);
	return ret ? dfd_error_set(err, ret, "%s: its driver_override cannot be written: %s", name,
				   strerror(-ret))
		   : 0;
}

static int let_go(struct bind_env *env, const char *name, const char *driver, struct dfd_error *err)
{
	struct placement now;
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), DRIVERS "%s/unbind", driver);
	ret = change(env, path, name);
	if (env->options->dry_run)
		return 0;
	/* The kernel says ENODEV when the driver has let go meanwhile. */
	if (!read_named(env, name, &now) && !now.driver[0])
		return 0;
	if (ret == -ENOENT)
		return dfd_error_set(err, -EBUSY, "%s: its driver %s never lets go of a function",
				     name, driver);
	return dfd_error_set(err, ret ? ret : -EBUSY, "%s: %s does not let go of it%s%s", name,
			     driver, ret ? ": " : "", ret ? strerror(-ret) : "");
}

/* Its driver is @driver, now or soon. */
static int await(const struct bind_env *env, const char *name, const char *driver, bool soon)
{
	struct placement now;

	for (unsigned int i = 0;; i++) {
		int ret = read_named(env, name, &now);

		if (ret)
			return ret;
		if (!strcmp(now.driver, driver))
			return 0;
		if (!soon || i == PAUSES)
			return -ETIMEDOUT;
		env->calls->pause(PAUSE_MS);
	}
}

static int take(struct bind_env *env, const char *name, const char *driver, struct dfd_error *err)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), DRIVERS "%s/bind", driver);
	ret = change(env, path, name);
	/* EAGAIN: the driver waits for something else; 0 and not bound: kernels before 5.12. */
	if (env->options->dry_run || !await(env, name, driver, !ret || ret == -EAGAIN))
		return 0;
	if (ret && ret != -EAGAIN)
		return dfd_error_set(err, ret,
				     "%s: %s does not take it: %s; the kernel log may say why",
				     name, driver, strerror(-ret));
	return dfd_error_set(err, -ETIMEDOUT,
			     "%s: %s has not taken it within %u s; the kernel log may say why",
			     name, driver, PAUSES * PAUSE_MS / 1000);
}

int placement_set(struct bind_env *env, const char *name, const struct placement *to,
		  struct dfd_error *err)
{
	struct placement now;
	int ret = read_named(env, name, &now);
	bool other;

	if (ret)
		return dfd_error_set(err, ret, "%s: has gone: %s", name, strerror(-ret));
	other = strcmp(now.driver, to->driver) != 0;
	if (other && to->driver[0])
		ret = load_driver(env, to->driver, err);
	if (!ret && strcmp(now.override, to->override) != 0)
		ret = set_override(env, name, to->override, err);
	if (!ret && other && now.driver[0])
		ret = let_go(env, name, now.driver, err);
	if (!ret && other && to->driver[0])
		ret = take(env, name, to->driver, err);
	return ret;
}
