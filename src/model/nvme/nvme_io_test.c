/* SPDX-License-Identifier: MIT */
#include "model/nvme/nvme_test.h"

#define FUA 0x40000000u

/* In the place of libc's: what would survive a loss of power. */
static unsigned int synced;
static int sync_errno;

int fdatasync(int fd)
{
	(void)fd;
	synced++;
	errno = sync_errno;
	return sync_errno ? -1 : 0;
}

static void fill(uint8_t *bytes, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static void file_holds(const struct rig *g, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint8_t *found = malloc(len);
	int fd = open(g->path, O_RDONLY);

	assert_non_null(found);
	assert_int_equal(pread(fd, found, len, (off_t)offset), len);
	assert_memory_equal(found, bytes, len);
	close(fd);
	free(found);
}

/* PRP entries of @len bytes that begin @skip bytes into the page at DATA. */
static struct command with_data(struct rig *g, struct command c, uint32_t skip, uint32_t len)
{
	uint32_t pages = (skip + len + 4095) / 4096;

	c.prp1 = iova_of(DATA + skip);
	c.prp2 = pages == 2 ? iova_of(DATA + 4096) : pages > 2 ? iova_of(LIST) : 0;
	for (uint32_t i = 1; pages > 2 && i < pages; i++)
		dfd_reg_store(g->memory + LIST + 8 * (size_t)(i - 1), 8, iova_of(DATA + 4096 * i));
	c.cdw12 |= len / 512 - 1;
	return c;
}

static void there_and_back(struct rig *g, uint32_t skip, uint32_t len, uint64_t block)
{
	uint8_t *bytes = malloc(len);
	struct command c = { .nsid = 1, .cdw10 = (uint32_t)block };

	assert_non_null(bytes);
	fill(bytes, len, skip + len);
	memcpy(g->memory + DATA + skip, bytes, len);
	c.opcode = NVME_WRITE;
	assert_int_equal(io(g, with_data(g, c, skip, len)), NVME_OK);
	file_holds(g, block * 512, bytes, len);
	c.opcode = NVME_COMPARE;
	assert_int_equal(io(g, with_data(g, c, skip, len)), NVME_OK);
	g->memory[DATA + skip + len - 1] ^= 1;
	assert_int_equal(io(g, with_data(g, c, skip, len)), NVME_COMPARE_FAILURE);
	memset(g->memory + DATA, 0xee, len + 8192);
	c.opcode = NVME_READ;
	assert_int_equal(io(g, with_data(g, c, skip, len)), NVME_OK);
	assert_memory_equal(g->memory + DATA + skip, bytes, len);
	assert_int_equal(g->memory[DATA + skip + len], 0xee);
	if (skip)
		assert_int_equal(g->memory[DATA + skip - 1], 0xee);
	free(bytes);
}

static void check_sizes(bool by_message)
{
	static const struct {
		uint32_t skip, len, block;
	} cases[] = {
		{ 0, 512, 0 },	   { 4, 512, 1 },	 { 3584, 512, 7 },    { 3588, 512, 9 },
		{ 0, 4096, 8 },	   { 512, 4096, 1000 },	 { 0, 8192, 2 },      { 2048, 8192, 2 },
		{ 0, 131072, 99 }, { 4092, 131072, 17 }, { 0, 131072, 1792 }, { 0, 512, 2047 },
	};
	struct rig *g = rig_ready("", by_message);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		there_and_back(g, cases[i].skip, cases[i].len, cases[i].block);
	rig_free(g);
}

static void test_sizes(void **state)
{
	(void)state;
	check_sizes(false);
}

static void test_sizes_by_message(void **state)
{
	(void)state;
	check_sizes(true);
}

/* The list begins near the end of its page, so that its last entry leads on. */
static void test_chained_list(void **state)
{
	static const uint32_t starts[] = { 4096 - 8, 4096 - 16, 4096 - 128, 4096 - 8 * 30 };

	(void)state;
	for (size_t n = 0; n < 2 * sizeof(starts) / sizeof(*starts); n++) {
		struct rig *g = rig_ready("", n % 2);
		uint32_t at = LIST + starts[n / 2], page = 1;
		struct command c = { .opcode = NVME_WRITE,
				     .nsid = 1,
				     .prp1 = iova_of(DATA),
				     .prp2 = iova_of(at),
				     .cdw12 = 255 };

		fill(g->memory + DATA, 131072, 5);
		for (; at < LIST + 4096 - 8; at += 8)
			dfd_reg_store(g->memory + at, 8, iova_of(DATA + 4096 * page++));
		dfd_reg_store(g->memory + at, 8, iova_of(LIST + 8192));
		for (at = LIST + 8192; page < 32; at += 8)
			dfd_reg_store(g->memory + at, 8, iova_of(DATA + 4096 * page++));
		assert_int_equal(io(g, c), NVME_OK);
		file_holds(g, 0, g->memory + DATA, 131072);
		rig_free(g);
	}
}

static void test_zeroes_and_deallocate(void **state)
{
	struct rig *g = rig_ready("", false);
	static const uint8_t zeros[64 * 512];
	uint8_t *range = g->memory + DATA;
	struct command c = { .opcode = NVME_WRITE, .nsid = 1 };

	(void)state;
	fill(g->memory + DATA, 131072, 3);
	assert_int_equal(io(g, with_data(g, c, 0, 131072)), NVME_OK);
	c = (struct command){ .opcode = NVME_WRITE_ZEROES, .nsid = 1, .cdw10 = 8, .cdw12 = 15 };
	assert_int_equal(io(g, c), NVME_OK);
	file_holds(g, 8 * 512, zeros, 16 * 512);
	file_holds(g, 24 * 512, g->memory + DATA + 24 * 512, 512);
	c.cdw10 = 0;
	c.cdw12 = DISK_BLOCKS - 1;
	assert_int_equal(io(g, c), NVME_OK);
	file_holds(g, 200 * 512, zeros, sizeof(zeros));

	fill(g->memory + DATA, 131072, 4);
	c = (struct command){ .opcode = NVME_WRITE, .nsid = 1 };
	assert_int_equal(io(g, with_data(g, c, 0, 131072)), NVME_OK);
	memset(range, 0, 32);
	dfd_reg_store(range + 4, 4, 8);
	dfd_reg_store(range + 8, 8, 16);
	dfd_reg_store(range + 16 + 4, 4, 64);
	dfd_reg_store(range + 16 + 8, 8, 64);
	c = (struct command){
		.opcode = NVME_DATASET_MANAGEMENT, .nsid = 1, .prp1 = iova_of(DATA), .cdw10 = 1
	};
	assert_int_equal(io(g, c), NVME_OK); /* no attribute: only a hint */
	file_holds(g, 64 * 512, g->memory + DATA + 64 * 512, 512);
	c.cdw11 = 4;
	assert_int_equal(io(g, c), NVME_OK);
	file_holds(g, 16 * 512, zeros, 8 * 512);
	file_holds(g, 24 * 512, g->memory + DATA + 24 * 512, 512);
	file_holds(g, 64 * 512, zeros, 64 * 512);
	dfd_reg_store(range + 16 + 4, 4, DISK_BLOCKS);
	assert_int_equal(io(g, c), NVME_LBA_OUT_OF_RANGE);
	rig_free(g);
}

static void test_refused(void **state)
{
	static const struct {
		struct command c;
		uint16_t want;
	} cases[] = {
#define DATA_AT .prp1 = MEMORY_IOVA + DATA
		{ { 0x04, 0, 1, DATA_AT }, NVME_INVALID_OPCODE },
		{ { 0x7f, 0, 1, DATA_AT }, NVME_INVALID_OPCODE },
		{ { 0xff, 0, 0, DATA_AT }, NVME_INVALID_OPCODE },
		{ { NVME_READ, 0, 0, DATA_AT }, NVME_INVALID_NAMESPACE },
		{ { NVME_READ, 0, 2, DATA_AT }, NVME_INVALID_NAMESPACE },
		{ { NVME_WRITE, 0, 0xffffffff, DATA_AT }, NVME_INVALID_NAMESPACE },
		{ { NVME_FLUSH, 0, 0 }, NVME_INVALID_NAMESPACE },
		{ { NVME_FLUSH, 0, 2 }, NVME_INVALID_NAMESPACE },
		{ { NVME_FLUSH, 0, 0xffffffff }, NVME_OK },
		{ { NVME_FLUSH, 0, 1 }, NVME_OK },
		{ { NVME_READ, 0x01, 1, DATA_AT }, NVME_INVALID_FIELD }, /* fused */
		{ { NVME_READ, 0x40, 1, DATA_AT }, NVME_INVALID_FIELD }, /* SGL */
		{ { NVME_READ, 0, 1, DATA_AT, .cdw10 = DISK_BLOCKS }, NVME_LBA_OUT_OF_RANGE },
		{ { NVME_READ, 0, 1, DATA_AT, .cdw10 = DISK_BLOCKS - 1, .cdw12 = 1 },
		  NVME_LBA_OUT_OF_RANGE },
		{ { NVME_READ, 0, 1, DATA_AT, .cdw11 = 1 }, NVME_LBA_OUT_OF_RANGE },
		{ { NVME_WRITE, 0, 1, DATA_AT, .cdw10 = 0xffffffff, .cdw11 = 0xffffffff },
		  NVME_LBA_OUT_OF_RANGE },
		{ { NVME_WRITE_ZEROES, 0, 1, .cdw12 = 0xffff }, NVME_LBA_OUT_OF_RANGE },
		{ { NVME_COMPARE, 0, 1, DATA_AT, .cdw10 = DISK_BLOCKS }, NVME_LBA_OUT_OF_RANGE },
		{ { NVME_READ, 0, 1, DATA_AT, .cdw12 = 256 }, NVME_INVALID_FIELD }, /* MDTS */
		{ { NVME_READ, 0, 1, DATA_AT, .cdw12 = 0x04000000 }, NVME_INVALID_FIELD },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + DATA + 2 }, NVME_INVALID_PRP_OFFSET },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + DATA, MEMORY_IOVA + DATA + 8, .cdw12 = 15 },
		  NVME_INVALID_PRP_OFFSET },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + DATA, MEMORY_IOVA + LIST + 4, .cdw12 = 31 },
		  NVME_INVALID_PRP_OFFSET },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + DATA, 0, .cdw12 = 31 },
		  NVME_INVALID_PRP_OFFSET },
		{ { NVME_READ, 0, 1, 0 }, NVME_TRANSFER_ERROR },
		{ { NVME_WRITE, 0, 1, 0xfffffffffffff000 }, NVME_TRANSFER_ERROR },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + MEMORY_SIZE - 256 }, NVME_TRANSFER_ERROR },
		{ { NVME_READ, 0, 1, MEMORY_IOVA + DATA, 0x5000, .cdw12 = 31 },
		  NVME_TRANSFER_ERROR },
		{ { NVME_DATASET_MANAGEMENT, 0, 2, DATA_AT }, NVME_INVALID_NAMESPACE },
		{ { NVME_DATASET_MANAGEMENT, 0, 1, 0, .cdw11 = 4 }, NVME_TRANSFER_ERROR },
#undef DATA_AT
	};

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		struct rig *g = rig_ready("", n);

		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			uint16_t status = io(g, cases[i].c);

			if (status != cases[i].want)
				fail_msg("case %zu: status 0x%x, not 0x%x", i, status,
					 cases[i].want);
		}
		there_and_back(g, 0, 4096, 0);
		rig_free(g);
	}
}

/* Entries of a list are whole pages. */
static void test_bad_list(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command c = { .opcode = NVME_READ, .nsid = 1 };

	(void)state;
	c = with_data(g, c, 0, 16384);
	dfd_reg_store(g->memory + LIST + 8, 8, iova_of(DATA + 8));
	assert_int_equal(io(g, c), NVME_INVALID_PRP_OFFSET);
	dfd_reg_store(g->memory + LIST + 8, 8, 0x7000);
	assert_int_equal(io(g, c), NVME_TRANSFER_ERROR);
	c.prp2 = iova_of(LIST + 4096 - 8); /* only room for the way on, and that leads nowhere */
	assert_int_equal(io(g, c), NVME_INVALID_FIELD);
	rig_free(g);
}

static void test_read_only(void **state)
{
	static const uint8_t writes[] = { NVME_WRITE, NVME_WRITE_ZEROES, NVME_DATASET_MANAGEMENT };
	struct rig *g = rig_ready(",readonly", false);
	struct command c = { .nsid = 1, .prp1 = iova_of(DATA) };

	(void)state;
	for (size_t i = 0; i < sizeof(writes); i++) {
		c.opcode = writes[i];
		assert_int_equal(io(g, c), NVME_WRITE_PROTECTED);
	}
	c.opcode = NVME_READ;
	assert_int_equal(io(g, c), NVME_OK);
	c.opcode = NVME_FLUSH;
	assert_int_equal(io(g, c), NVME_OK);
	rig_free(g);
}

/* What must be durable is: by flush, by FUA, by a write cache that is off, by shutdown. */
static void test_durable(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command c = { .opcode = NVME_WRITE, .nsid = 1, .prp1 = iova_of(DATA) };
	struct command zeroes = { .opcode = NVME_WRITE_ZEROES, .nsid = 1 };
	struct command cache_off = { .opcode = NVME_SET_FEATURES, .cdw10 = 6 };

	(void)state;
	synced = 0;
	assert_int_equal(io(g, c), NVME_OK);
	assert_int_equal(io(g, zeroes), NVME_OK);
	assert_int_equal(synced, 0);
	assert_int_equal(io(g, (struct command){ .opcode = NVME_FLUSH, .nsid = 1 }), NVME_OK);
	assert_int_equal(synced, 1);
	c.cdw12 = zeroes.cdw12 = FUA;
	assert_int_equal(io(g, c), NVME_OK);
	assert_int_equal(synced, 2);
	assert_int_equal(io(g, zeroes), NVME_OK);
	assert_int_equal(synced, 3);
	assert_int_equal(admin(g, cache_off), NVME_OK);
	assert_int_equal(synced, 4);
	c.cdw12 = zeroes.cdw12 = 0;
	assert_int_equal(io(g, c), NVME_OK);
	assert_int_equal(io(g, zeroes), NVME_OK);
	assert_int_equal(synced, 6);
	sync_errno = EIO;
	assert_int_equal(io(g, c), NVME_WRITE_FAULT);
	assert_int_equal(io(g, (struct command){ .opcode = NVME_FLUSH, .nsid = 1 }),
			 NVME_WRITE_FAULT);
	sync_errno = 0;
	put32(g->dev, NVME_CC, ENABLE | 0x4000);
	assert_int_equal(synced, 9);
	rig_free(g);
}

/* Somebody cuts the file under the controller. */
static void test_short_file(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command c = { .opcode = NVME_READ, .nsid = 1, .prp1 = iova_of(DATA), .cdw10 = 9 };

	(void)state;
	assert_int_equal(truncate(g->path, 4096), 0);
	assert_int_equal(io(g, c), NVME_READ_ERROR);
	c.opcode = NVME_COMPARE;
	assert_int_equal(io(g, c), NVME_READ_ERROR);
	c.opcode = NVME_WRITE;
	c.cdw12 = FUA;
	assert_int_equal(io(g, c), NVME_OK);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	     cmocka_unit_test(test_sizes_by_message),
		cmocka_unit_test(test_chained_list), cmocka_unit_test(test_zeroes_and_deallocate),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_bad_list),
		cmocka_unit_test(test_read_only),    cmocka_unit_test(test_durable),
		cmocka_unit_test(test_short_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
