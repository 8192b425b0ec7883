/* SPDX-License-Identifier: MIT */
/*
 * What functions were bound to before: a file with a line for each, written anew and put in the
 * place of the old one, so that it is whole whenever a process is killed. It lies where a restart
 * of the machine, which forgets all drivers, empties it.
 *
 * NAME VENDOR:DEVICE DRIVER OVERRIDE, separated by tabs, "-" for none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/bind.h"

#define FOLDER	"/run/devfd"
#define LOCK	FOLDER "/lock"
#define HEADER	"devfd drivers 1\n"
#define WAIT_MS 5000
#define STEP_MS 100

/* ---- lock ---- */

static int fail(struct dfd_error *err, const char *path, int ret)
{
	return dfd_error_set(err, ret, "%s: %s%s", path, strerror(-ret),
			     ret == -EACCES || ret == -EPERM ? "; run this as root" : "");
}

int memory_lock(const struct bind_env *env, struct dfd_error *err)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s" FOLDER, env->root);
	if (mkdir(path, 0755) && errno != EEXIST)
		return fail(err, FOLDER, -errno);
	snprintf(path, sizeof(path), "%s" LOCK, env->root);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, LOCK, -errno);
	for (unsigned int waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += STEP_MS) {
		if (errno != EWOULDBLOCK || waited >= WAIT_MS) {
			close(fd);
			return dfd_error_set(err, -EBUSY,
					     LOCK ": another devfd is changing drivers; wait for "
						  "it to end");
		}
		env->calls->pause(STEP_MS);
	}
	return fd;
}

/* ---- the list ---- */

struct remembered *memory_find(const struct memory *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++) {
		if (!strcmp(m->list[i].name, name))
			return &m->list[i];
	}
	return NULL;
}

int memory_add(struct memory *m, const struct remembered *entry)
{
	struct remembered *list = reallocarray(m->list, m->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	m->list = list;
	list[m->count++] = *entry;
	return 0;
}

void memory_remove(struct memory *m, const char *name)
{
	struct remembered *entry = memory_find(m, name);

	if (!entry)
		return;
	m->count--;
	memmove(entry, entry + 1, (size_t)(m->list + m->count - entry) * sizeof(*entry));
}

void memory_free(struct memory *m)
{
	free(m->list);
	*m = (struct memory){ 0 };
}

/* ---- the file ---- */

/* One field of a line: a name, or "-" for "". A slash would lead out of the folder of drivers. */
static bool take_field(char **line, char *out, size_t room)
{
	char *field = strsep(line, "\t");

	if (!field || !*field || strlen(field) >= room || strchr(field, '/'))
		return false;
	strcpy(out, strcmp(field, "-") ? field : "");
	return true;
}

static bool parse(char *line, struct remembered *out)
{
	char name[FUNCTION_NAME_SIZE], ids[16];
	unsigned int vendor, device;
	int end = -1;

	line[strcspn(line, "\n")] = '\0';
	*out = (struct remembered){ 0 };
	if (!take_field(&line, name, sizeof(name)) || !take_field(&line, ids, sizeof(ids)) ||
	    !take_field(&line, out->was.driver, sizeof(out->was.driver)) ||
	    !take_field(&line, out->was.override, sizeof(out->was.override)) || line)
		return false;
	sscanf(ids, "%4x:%4x%n", &vendor, &device, &end);
	if (end < 0 || ids[end])
		return false;
	out->id = vendor << 16 | device;
	return function_parse(name, out->name, sizeof(out->name));
}

static int parse_all(FILE *f, struct memory *m, struct dfd_error *err)
{
	struct remembered entry;
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	for (unsigned int n = 1; !ret && getline(&line, &room, f) > 0; n++) {
		if (n == 1 ? strcmp(line, HEADER) != 0 : !parse(line, &entry))
			ret = dfd_error_set(err, -EBADMSG,
					    BIND_STATE
					    ": line %u is not what devfd writes there; set right "
					    "what it tells by hand, and remove the file",
					    n);
		else if (n > 1)
			ret = memory_add(m, &entry);
	}
	free(line);
	return ret;
}

int memory_load(const char *root, struct memory *m, struct dfd_error *err)
{
	char path[PATH_MAX];
	FILE *f;
	int ret;

	*m = (struct memory){ 0 };
	snprintf(path, sizeof(path), "%s" BIND_STATE, root);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : fail(err, path, -errno);
	ret = parse_all(f, m, err);
	fclose(f);
	if (ret)
		memory_free(m);
	return ret == -ENOMEM ? dfd_error_set(err, ret, BIND_STATE ": out of memory") : ret;
}

static const char *shown(const char *name)
{
	return *name ? name : "-";
}

static int write_all(const char *path, const struct memory *m)
{
	FILE *f = fopen(path, "we");
	int ret;

	if (!f)
		return -errno;
	fputs(HEADER, f);
	for (size_t i = 0; i < m->count; i++) {
		const struct remembered *e = &m->list[i];

		fprintf(f, "%s\t%04x:%04x\t%s\t%s\n", e->name, e->id >> 16, e->id & 0xffff,
			shown(e->was.driver), shown(e->was.override));
	}
	errno = 0;
	ret = fflush(f) || ferror(f) || fsync(fileno(f)) ? -EIO : 0;
	if (ret && errno)
		ret = -errno;
	fclose(f);
	return ret;
}

int memory_save(const char *root, const struct memory *m, struct dfd_error *err)
{
	char path[PATH_MAX], new[PATH_MAX];
	int ret = 0;

	snprintf(path, sizeof(path), "%s" BIND_STATE, root);
	snprintf(new, sizeof(new), "%s" BIND_STATE ".new", root);
	if (!m->count) {
		if (unlink(path) && errno != ENOENT)
			ret = -errno;
	} else {
		ret = write_all(new, m);
		if (!ret && rename(new, path))
			ret = -errno;
		if (ret)
			unlink(new);
	}
	return ret ? fail(err, BIND_STATE, ret) : 0;
}
