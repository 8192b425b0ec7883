/* SPDX-License-Identifier: MIT */
/*
 * Damaged dumps, the same ones each time.
 *
 * Theory of operation: random bytes seldom are JSON, so what is exchanged are its words: each word
 * of a good dump is kept, left out, doubled, or replaced by one from elsewhere or by an awkward
 * value. usage: dump-mutate COUNT [SEED]
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/print.h>

#include "must.h"
#include "random_desc.h"

#define MAX_BASES 8
#define ROOM	  (1u << 17)

static char *bases[MAX_BASES];

static const char list[] =
	"[{\"machine\": {\"iommu\": \"intel (dmar0, aw 48)\", \"groups\": 2, "
	"\"interrupt_remapping\": "
	"true, \"vfio_pci\": true, \"group\": true, \"cdev\": false, \"iommufd\": false, "
	"\"noiommu\": "
	"false, \"memlock\": 8388608}, \"groups\": [{\"group\": 1, \"state\": \"NOT VIABLE\", "
	"\"why\": "
	"\"0000:00:1f.2 (ahci)\", \"members\": [{\"name\": \"0000:00:1f.0\", \"driver\": "
	"\"vfio-pci\", "
	"\"vfio\": true, \"state\": \"OK\", \"vendor\": 6900}, {\"name\": \"0000:00:1f.2\", "
	"\"driver\": "
	"\"ahci\", \"vfio\": false, \"state\": \"host\", \"device\": 4161, \"class\": 67073}], "
	"\"shared\": \"no ACS\", \"reserved\": \"0x0-0xfff msi\"}, {\"group\": 2}]}, {\"bus\": "
	"\"pci\", "
	"\"name\": \"0000:01:00.0\", \"address\": \"sysfs:0000:01:00.0\", \"path\": "
	"\"pci0000:00/0000:00:01.0/0000:01:00.0\", \"driver\": \"vfio-pci\", \"iommu_group\": 1, "
	"\"group_size\": 2, \"numa_node\": 1, \"state\": \"OK\", \"bars\": [131072, 64, 0, 0, 0, "
	"0], "
	"\"msix_vectors\": 9, \"reset\": \"flr\", \"vendor\": 6900, \"device\": 4161, \"class\": "
	"131072, "
	"\"names\": {}, \"power\": \"D0\", \"physical_function\": \"0000:01:00.1\", "
	"\"virtual_functions\": 1, \"max_virtual_functions\": 8, \"problem\": \"a problem\"}, "
	"{\"bus\": "
	"\"dt\", \"name\": \"9000000.pl011\", \"path\": \"/soc/pl011@9000000\", "
	"\"device_tree_path\": "
	"\"/soc/pl011@9000000\", \"compatible\": \"arm,pl011\"}]";

static const char device[] =
	"[{\"address\": \"pci:01:00.0\", \"bus\": \"pci\", \"reset\": true, \"facts\": "
	"{\"vendor\": 6900, "
	"\"msix_vectors\": 5}, \"regions\": [{\"index\": 0, \"size\": 4096, \"mappable\": true}, "
	"{\"index\": 7, \"size\": 256, \"capabilities\": [{\"id\": 3, \"version\": 1, \"data\": "
	"\"0102030405060708\"}]}], \"irqs\": [{\"index\": 0, \"count\": 1, \"trigger\": \"level\", "
	"\"maskable\": true}], \"config_space\": "
	"\"f41a411000001000010000020000000000000000000000000000000000000000000000000000000000000000"
	"f41a0011"
	"0000000040000000000000000001000005508400000000000000000000000000000000001100088000000000\""
	", "
	"\"place\": {\"bus\": \"pci\", \"name\": \"0000:01:00.0\", \"state\": \"OK\"}, "
	"\"features\": "
	"[{\"number\": 1, \"name\": \"MIGRATION\", \"get\": true, \"set\": false}, {\"number\": "
	"60, "
	"\"set\": true}], \"hot_reset\": {\"possible\": false, \"why\": \"01:00.1 is not ours\", "
	"\"devices\": [{\"name\": \"0000:01:00.1\", \"driver\": \"nvme\", \"group\": 4, \"ours\": "
	"false}]}, \"dma\": {\"page\": 4096, \"maps_left\": 65535, \"lockable\": 8388608, "
	"\"lockable_by_user\": true, \"ranges\": [{\"start\": 0, \"last\": 4095}]}}]";

static const char *const awkward[] = {
	"0",
	"-1",
	"18446744073709551615",
	"18446744073709551616",
	"2147483648",
	"1e99",
	"null",
	"true",
	"\"\"",
	"\"\\u001b[2J\"",
	"\"0\"",
	"[]",
	"{}",
	"[[]]",
	"]",
	"}",
	",",
	"\"host\"",
	"\"/////////////////////////////////////////////\"",
	"\"regions\": 1,",
	"\"ff\"",
};

/* Bytes of the word at @text: a string, a number or name, or one other character. */
static size_t word_len(const char *text)
{
	size_t len = 1;

	if (*text == '"') {
		while (text[len] && text[len] != '"')
			len++;
		return text[len] ? len + 1 : len;
	}
	if (isalnum((unsigned char)*text))
		while (isalnum((unsigned char)text[len]))
			len++;
	return len;
}

static size_t put(char *buf, size_t at, const char *word, size_t len)
{
	if (len > ROOM - at)
		return at;
	memcpy(buf + at, word, len);
	return at + len;
}

/* A word of any good dump, from any of its bytes on. */
static const char *elsewhere(uint64_t *seed)
{
	const char *base = bases[dfd_random_below(seed, MAX_BASES)];

	return base + dfd_random_below(seed, (uint32_t)strlen(base));
}

static size_t damage(char *buf, const char *base, uint64_t *seed)
{
	uint32_t rate = 20 + dfd_random_below(seed, 2000);
	size_t at = 0, len;
	const char *other;

	for (const char *word = base; *word; word += len) {
		len = word_len(word);
		switch (dfd_random_below(seed, rate)) {
		case 0:
			break;
		case 1:
			at = put(buf, put(buf, at, word, len), word, len);
			break;
		case 2:
			other = elsewhere(seed);
			at = put(buf, at, other, word_len(other));
			break;
		case 3:
		case 4:
			other = awkward[dfd_random_below(seed, sizeof(awkward) / sizeof(*awkward))];
			at = put(buf, at, other, strlen(other));
			break;
		default:
			at = put(buf, at, word, len);
		}
	}
	return at;
}

static void check_text(const char *text)
{
	MUST(*text);
	for (; *text; text++)
		MUST((unsigned char)*text >= ' ');
}

/* Everything that is printed of a machine and of devices. */
static void print_all(const struct dfd_dump *dump)
{
	const struct dfd_origin origin = { .dump = dump };
	FILE *out = fopen("/dev/null", "we");

	MUST(out);
	for (int form = DFD_MACHINE_LIST; form <= DFD_MACHINE_JSON; form++)
		MUST(dfd_print_machine(out, &origin, (enum dfd_machine_form)form) >= 0);
	MUST(dfd_print_groups(out, &origin, false) >= 0);
	for (uint32_t i = 0; i < dfd_dump_count(dump); i++) {
		struct dfd_device *dev = dfd_dump_device(dump, i);
		const char *address = dfd_dump_address(dump, i);

		MUST(!dfd_print_text(out, address, dfd_device_desc(dev), true));
		MUST(!dfd_print_config(out, dev));
		MUST(!dfd_print_abilities(out, dev));
		MUST(!dfd_print_features(out, dev));
		MUST(!dfd_print_device_json(out, address, dev, &origin, "01:00.0"));
	}
	fclose(out);
}

static int damage_one(uint64_t *seed)
{
	static char buf[ROOM];
	size_t len = damage(buf, bases[dfd_random_below(seed, MAX_BASES)], seed);
	int fd = memfd_create("dump", MFD_CLOEXEC), ret;
	struct dfd_dump *dump;
	struct dfd_error err;
	char path[64];

	MUST(fd >= 0 && write(fd, buf, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = dfd_dump_open(path, &dump, &err);
	close(fd);
	if (ret) {
		check_text(err.text);
		return ret;
	}
	print_all(dump);
	dfd_dump_close(dump);
	return 0;
}

/* A description as a dump. */
static char *described(uint64_t seed)
{
	const struct dfd_desc *desc = dfd_random_desc(seed);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	MUST(out);
	fputc('[', out);
	MUST(!dfd_print_json(out, "a:b", desc));
	fputc(']', out);
	MUST(!fclose(out));
	dfd_desc_unref(desc);
	return text;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, read = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	if (!count) {
		fprintf(stderr, "usage: dump-mutate COUNT [SEED]\n");
		return 2;
	}
	setenv("DEVFD_PCI_IDS", "/nonexistent", 1);
	for (uint32_t i = 0; i < MAX_BASES; i++)
		MUST(bases[i] = i ? i < 3 ? strdup(device) : described(i) : strdup(list));
	for (unsigned long i = 0; i < count; i++)
		read += !damage_one(&seed);
	printf("dump: %lu mutations, %lu read, %lu refused with a sentence\n", count, read,
	       count - read);
	for (uint32_t i = 0; i < MAX_BASES; i++)
		free(bases[i]);
	return 0;
}
