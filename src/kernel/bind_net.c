/* SPDX-License-Identifier: MIT */
/*
 * The networks that the host needs.
 *
 * Theory of operation: three ways out must stay. The default route; the route to who is logged in
 * over ssh (sshd tells the address to the shell, and whoever runs in between, such as sudo, may
 * have dropped it: so the processes above this one are asked); the route to file servers. A route
 * names an interface. An interface that is made of others (bond, bridge, VLAN) stays as long as one
 * of them does.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bind.h"
#include "kernel/root.h"
#include "util/sysfs.h"

#define MAX_DEPTH     8
#define MAX_ANCESTORS 64
#define ROUTE_UP      1

/* ---- interfaces ---- */

/**
 * struct leg - what an interface stands on
 * @lost: a function of the set, or NULL
 * @stays: a function that is not in the set
 */
struct leg {
	const char *lost;
	bool stays;
};

static void follow(const char *root, const struct bind_set *set, const char *interface,
		   unsigned int depth, struct leg *out)
{
	char path[PATH_MAX], real[PATH_MAX];
	bool lower = false;
	const char *function;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/class/net/%s", root, interface);
	if (!depth || !realpath(path, real))
		return;
	dir = opendir(real);
	for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		if (strncmp(e->d_name, "lower_", 6) != 0)
			continue;
		lower = true;
		follow(root, set, e->d_name + 6, depth - 1, out);
	}
	if (dir)
		closedir(dir);
	function = set_owns(set, real);
	if (function)
		out->lost = function;
	else if (!lower && root_exists(real, "/device"))
		out->stays = true;
}

/* ---- routes ---- */

/** struct address - of either family, as bytes of the network; IPv4 in the last four */
struct address {
	int family;
	uint8_t bytes[16];
};

static bool parse_address(const char *text, struct address *out)
{
	*out = (struct address){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	return inet_pton(out->family, text, out->bytes) == 1;
}

/** struct route - @bits: length of the prefix */
struct route {
	struct address to;
	unsigned int bits;
	char interface[IF_NAMESIZE];
};

static bool parse_route4(const char *line, struct route *out)
{
	uint32_t to, mask;
	unsigned int flags;

	if (sscanf(line, "%15s %" SCNx32 " %*x %x %*d %*d %*d %" SCNx32, out->interface, &to,
		   &flags, &mask) != 4 ||
	    !(flags & ROUTE_UP))
		return false;
	out->to = (struct address){ .family = AF_INET };
	memcpy(out->to.bytes, &to, sizeof(to));
	out->bits = (unsigned int)__builtin_popcount(mask);
	return true;
}

static bool parse_route6(const char *line, struct route *out)
{
	unsigned int flags;
	char to[33];

	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %15s", to, &out->bits, &flags,
		   out->interface) != 4 ||
	    strlen(to) != 32 || out->bits > 128 || !(flags & ROUTE_UP))
		return false;
	out->to = (struct address){ .family = AF_INET6 };
	for (int i = 0; i < 16; i++)
		sscanf(to + 2 * i, "%2hhx", &out->to.bytes[i]);
	return true;
}

static bool leads_to(const struct route *r, const struct address *to)
{
	unsigned int whole = r->bits / 8, rest = r->bits % 8;

	if (r->to.family != to->family || memcmp(r->to.bytes, to->bytes, whole) != 0)
		return false;
	return !rest || !((r->to.bytes[whole] ^ to->bytes[whole]) >> (8 - rest));
}

/** struct search - @fn gets each route but those of the loopback interface */
struct search {
	const char *root;
	const struct bind_set *set;
	const struct address *to;
	struct route best;
	bool found;
	char interface[IF_NAMESIZE];
	struct leg leg;
};

static void each_route(struct search *s, void (*fn)(struct search *s, const struct route *r))
{
	static const struct {
		const char *file;
		bool (*parse)(const char *line, struct route *out);
	} tables[] = { { "/proc/net/route", parse_route4 },
		       { "/proc/net/ipv6_route", parse_route6 } };
	char path[PATH_MAX], *line = NULL;
	struct route route;
	size_t room = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s%s", s->root, tables[i].file);
		f = fopen(path, "re");
		while (f && getline(&line, &room, f) > 0) {
			if (tables[i].parse(line, &route) && strcmp(route.interface, "lo") != 0)
				fn(s, &route);
		}
		if (f)
			fclose(f);
	}
	free(line);
}

/* ---- what must stay ---- */

static void look_at_default(struct search *s, const struct route *r)
{
	const char *before = s->leg.lost;

	if (r->bits)
		return;
	follow(s->root, s->set, r->interface, MAX_DEPTH, &s->leg);
	if (s->leg.lost != before)
		strcpy(s->interface, r->interface);
}

static int check_default(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	struct search s = { .root = root, .set = set };

	each_route(&s, look_at_default);
	if (!s.leg.lost || s.leg.stays)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: the host needs it: the only default route is by %s, which is "
			     "behind it; give the host another one, or use --force",
			     s.leg.lost, s.interface);
}

static void look_for_best(struct search *s, const struct route *r)
{
	if (!leads_to(r, s->to) || (s->found && r->bits <= s->best.bits))
		return;
	s->best = *r;
	s->found = true;
}

static int check_peer(const char *root, const struct bind_set *set, const char *peer,
		      const char *what, struct dfd_error *err)
{
	struct address to;
	struct search s = { .root = root, .set = set, .to = &to };
	const char *scope = strchr(peer, '%');

	/* An address of the link itself names the interface. */
	if (scope)
		snprintf(s.best.interface, sizeof(s.best.interface), "%.15s", scope + 1);
	else if (parse_address(peer, &to))
		each_route(&s, look_for_best);
	if (scope || s.found)
		follow(root, set, s.best.interface, MAX_DEPTH, &s.leg);
	if (!s.leg.lost || s.leg.stays)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: the host needs it: %s %s goes by %s, which is behind it; find "
			     "another way, or use --force",
			     s.leg.lost, what, peer, s.best.interface);
}

/* The entry of the environment of a process. */
static bool variable_of(const char *root, const char *pid, const char *name, char *value,
			size_t room)
{
	char path[PATH_MAX], *entry = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%s/environ", root, pid);
	f = fopen(path, "re");
	while (f && !found && getdelim(&entry, &size, '\0', f) > 0) {
		found = !strncmp(entry, name, strlen(name)) && entry[strlen(name)] == '=';
		if (found)
			snprintf(value, room, "%s", entry + strlen(name) + 1);
	}
	free(entry);
	if (f)
		fclose(f);
	return found;
}

/* The parent stands behind the name, which may hold anything. */
static bool parent_of(const char *root, char *pid, size_t room)
{
	char path[64], text[512];
	const char *end;
	int parent;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	if (root_text(root, path, text, sizeof(text)) < 0)
		return false;
	end = strrchr(text, ')');
	if (!end || sscanf(end, ") %*c %d", &parent) != 1 || parent <= 0)
		return false;
	snprintf(pid, room, "%d", parent);
	return true;
}

static int check_login(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	char pid[16] = "self", value[128];

	for (int i = 0; i < MAX_ANCESTORS; i++) {
		if (variable_of(root, pid, "SSH_CONNECTION", value, sizeof(value))) {
			value[strcspn(value, " ")] = '\0';
			return check_peer(root, set, value, "your connection from", err);
		}
		if (!parent_of(root, pid, sizeof(pid)))
			return 0;
	}
	return 0;
}

/* "addr=" stands among the options of a network file system. */
static int check_servers(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	char path[PATH_MAX], address[64], *line = NULL;
	size_t room = 0;
	int ret = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	f = fopen(path, "re");
	while (f && !ret && getline(&line, &room, f) > 0) {
		const char *rest = strstr(line, " - "), *at = rest ? strstr(rest, ",addr=") : NULL;

		if (at && sscanf(at, ",addr=%63[^, \n]", address) == 1)
			ret = check_peer(root, set, address, "the mounted file server", err);
	}
	free(line);
	if (f)
		fclose(f);
	return ret;
}

int host_check_net(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	int ret = check_login(root, set, err);

	if (!ret)
		ret = check_default(root, set, err);
	if (!ret)
		ret = check_servers(root, set, err);
	return ret;
}
