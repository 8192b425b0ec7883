/* SPDX-License-Identifier: MIT */
/*
 * Functions of libc that take a path, or reach an fd in another way than ioctl() and its like.
 *
 * usage: paths FUNCTION    under devfd run, an educational device in group 0 and at /dev/devfd/edu
 *
 * Says nothing when all is well.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "expect.h"

#define EDU    "/dev/devfd/edu"
#define BAR0   ((off_t)1 << 40)
#define ID     UINT32_C(0x010000ed)
#define FORTY  40 /* an fd for a child */
#define GROUPS "/sys/kernel/iommu_groups"

static const char *function;
static char dir[128], file[160], real[128];

static bool is_link(const char *text, ssize_t n)
{
	static const char wanted[] = "../../../kernel/iommu_groups/0";

	return n == (ssize_t)strlen(wanted) && !memcmp(text, wanted, (size_t)n);
}

static bool is_real(char *path)
{
	bool same = path && !strcmp(path, real);

	if (path && !same)
		printf("%s instead of %s\n", path, real);
	free(path);
	return same;
}

/* ---- by path ---- */

static void names(void)
{
	char buf[4096], group[160];
	int fd;

	CHECK(is_real(realpath(dir, NULL)));
	CHECK(is_real(canonicalize_file_name(dir)));
	snprintf(group, sizeof(group), "%s/iommu_group", dir);
	CHECK(is_link(buf, readlink(group, buf, sizeof(buf))));
	CHECK(is_link(buf, readlinkat(AT_FDCWD, group, buf, sizeof(buf))));
	CHECK(is_link(buf, syscall(SYS_readlinkat, AT_FDCWD, group, buf, sizeof(buf))));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && is_link(buf, readlinkat(fd, "iommu_group", buf, sizeof(buf))));
	snprintf(group, sizeof(group), "/proc/self/fd/%d", fd);
	CHECK(readlink(group, buf, sizeof(buf)) == (ssize_t)strlen(real));
	CHECK(!memcmp(buf, real, strlen(real)));
	close(fd);
	CHECK(!chdir(dir) && getcwd(buf, sizeof(buf)) && !strcmp(buf, real));
	CHECK(is_real(get_current_dir_name()));
	CHECK(is_real(realpath(".", NULL)));
	CHECK(!access("vendor", R_OK) && !chdir("/"));
}

static void looks(void)
{
	struct statvfs fs;
	struct statx x;
	struct stat st;
	int notify = inotify_init1(IN_CLOEXEC);

	CHECK(!stat(file, &st) && S_ISREG(st.st_mode));
	CHECK(!lstat(dir, &st) && S_ISLNK(st.st_mode));
	CHECK(!fstatat(AT_FDCWD, file, &st, 0) && S_ISREG(st.st_mode));
	CHECK(!statx(AT_FDCWD, file, 0, STATX_BASIC_STATS, &x) && S_ISREG(x.stx_mode));
	CHECK(!syscall(SYS_statx, AT_FDCWD, file, 0, STATX_BASIC_STATS, &x));
	CHECK(!access(file, R_OK) && !euidaccess(file, R_OK) && !eaccess(file, R_OK));
	CHECK(!faccessat(AT_FDCWD, file, R_OK, 0) && !syscall(SYS_faccessat, AT_FDCWD, file, R_OK));
	CHECK(!statvfs(file, &fs) && pathconf(file, _PC_NAME_MAX) == 255);
	CHECK(listxattr(file, NULL, 0) >= 0 && ftok(file, 1) != -1);
	CHECK(inotify_add_watch(notify, file, IN_ACCESS) >= 0);
	close(notify);
	FAILS(stat("/sys/bus/pci/devices/none", &st), ENOENT);
	CHECK(!access(EDU, R_OK) && !syscall(SYS_faccessat, AT_FDCWD, EDU, W_OK));
}

static bool has_vendor(int fd)
{
	char text[8] = "";
	bool has = fd >= 0 && read(fd, text, sizeof(text) - 1) == 7 && !strcmp(text, "0x1234\n");

	close(fd);
	return has;
}

static void opens(void)
{
	struct open_how how = { .flags = O_RDONLY };
	FILE *stream = fopen(file, "r");
	char text[8] = "";

	CHECK(stream && fgets(text, sizeof(text), stream) && !strcmp(text, "0x1234\n"));
	CHECK(freopen(file, "re", stream) == stream && fgetc(stream) == '0');
	fclose(stream);
	CHECK(has_vendor(open(file, O_RDONLY)));
	CHECK(has_vendor(openat(AT_FDCWD, file, O_RDONLY)));
	CHECK(has_vendor((int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY)));
	CHECK(has_vendor((int)syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how))));
}

/* ---- directories ---- */

static int seen_by_ftw;

static int one_ftw(const char *path, const struct stat *st, int type)
{
	seen_by_ftw += !strcmp(path, file) && type == FTW_F && st->st_size == 7;
	return 0;
}

static int one_nftw(const char *path, const struct stat *st, int type, struct FTW *where)
{
	seen_by_ftw += !strcmp(path, file) && type == FTW_F && st->st_size == 7 &&
		       where->level == 1 && !strcmp(path + where->base, "vendor");
	return 0;
}

static int is_group(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool walked_by_fts(void)
{
	char *paths[] = { dir, NULL };
	FTS *fts = fts_open(paths, FTS_COMFOLLOW | FTS_PHYSICAL, NULL);
	int seen = 0;

	for (FTSENT *e = fts ? fts_read(fts) : NULL; e; e = fts_read(fts))
		seen += e->fts_info == FTS_F && !strcmp(e->fts_name, "vendor");
	return fts && !fts_close(fts) && seen == 1;
}

static void directories(void)
{
	char pattern[160];
	struct dirent **list;
	glob_t found = { 0 };

	CHECK(!nftw(dir, one_nftw, 8, 0) && seen_by_ftw == 1);
	CHECK(!ftw(dir, one_ftw, 8) && seen_by_ftw == 2);
	CHECK(walked_by_fts());
	CHECK(scandir(GROUPS, &list, is_group, alphasort) == 1 && !strcmp(list[0]->d_name, "0"));
	CHECK(scandirat(AT_FDCWD, GROUPS, &list, is_group, alphasort) == 1);
	snprintf(pattern, sizeof(pattern), "/sys/bus/p*i/devices/*/vend?r");
	CHECK(!glob(pattern, 0, NULL, &found) && found.gl_pathc == 1);
	CHECK(found.gl_pathc && !strcmp(found.gl_pathv[0], file));
	globfree(&found);
	CHECK(!glob("/dev/vfio/[0-9]*", 0, NULL, &found) && found.gl_pathc == 1);
	globfree(&found);
}

/* ---- system calls by number, on the fd of a device ---- */

static void numbers(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, EDU, O_RDWR), copy;
	struct stat st;
	uint32_t id = 0;
	struct iovec iov = { &id, sizeof(id) };
	uint64_t flags = 0;

	CHECK(syscall(SYS_pread64, fd, &id, 4, BAR0) == 4 && id == ID);
	id = 0;
	CHECK(syscall(SYS_preadv, fd, &iov, 1, BAR0, 0) == 4 && id == ID);
	id = 0;
	CHECK(syscall(SYS_preadv2, fd, &iov, 1, BAR0, 0, 0) == 4 && id == ID);
	CHECK(syscall(SYS_lseek, fd, BAR0, SEEK_SET) == BAR0);
	id = 0;
	CHECK(syscall(SYS_read, fd, &id, 4) == 4 && id == ID);
	CHECK(!syscall(SYS_ioctl, fd, VFIO_DEVICE_GET_FLAGS, &flags) && flags == 5);
	CHECK(!syscall(SYS_fstat, fd, &st) && S_ISCHR(st.st_mode));
	copy = (int)syscall(SYS_dup3, fd, FORTY, O_CLOEXEC);
	CHECK(copy == FORTY && syscall(SYS_pread64, copy, &id, 4, BAR0) == 4);
	FAILS(syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, BAR0), EINVAL);
	FAILS(syscall(SYS_sendfile, STDOUT_FILENO, fd, NULL, 4), EINVAL);
	FAILS(syscall(SYS_copy_file_range, fd, NULL, STDOUT_FILENO, NULL, 4, 0), EINVAL);
	FAILS(sendfile(STDOUT_FILENO, fd, NULL, 4), EINVAL);
	FAILS(splice(fd, NULL, STDOUT_FILENO, NULL, 4, 0), EINVAL);
	CHECK(!syscall(SYS_close, fd) && !close_range(FORTY, FORTY, 0));
	FAILS(syscall(SYS_pread64, copy, &id, 4, BAR0), EBADF);
	CHECK(syscall(SYS_getpid) == getpid());
}

/* ---- what a child finds ---- */

static int child_reads(const char *path, const char *command)
{
	char *argv[] = { "sh", "-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_RDONLY, 0) ||
	    posix_spawn_file_actions_addchdir_np(&actions, dir) ||
	    posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

static void children(void)
{
	CHECK(!child_reads(file, "read -r x && test $x = 0x1234 && test -e vendor"));
	CHECK(!child_reads(EDU, "test $(head -c 3) = pci"));
}

/* The machine's own files are not those of the view. */
static void changes(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/new", real);
	CHECK(!mkdir(path, 0755) && !access(path, X_OK));
	CHECK(!chmod(path, 0700) && !rmdir(path));
	CHECK(!symlink("nowhere", path) && !unlink(path));
	FAILS(access(path, F_OK), ENOENT);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	function = argv[1];
	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s", function);
	snprintf(real, sizeof(real), "/sys/devices/pci%.7s/%s", function, function);
	snprintf(file, sizeof(file), "%s/vendor", dir);
	names();
	looks();
	opens();
	directories();
	numbers();
	children();
	changes();
	return failures != 0;
}
