#include <criterion/criterion.h>
#include <stdlib.h>

#include "items.h"

#include "../support/random.h"

/* Keys of the kinds there are, and of those that a poor hash would put into few buckets. */
enum key_kind { KEYS_RANDOM, KEYS_IN_ORDER, KEYS_UPPER_HALF, KEYS_REFS, KEYS_PAIRS, KEY_KINDS };

enum { MANY = 100000, MORE_THAN_BUCKETS = ITEMS_SEGMENT * ITEMS_SEGMENTS_MAX + 50000, CHAIN_MAX = 32 };

static struct item item[MORE_THAN_BUCKETS + 1]; /* the first one's ref is 0: unused */
static struct items *table;

static void make_table(void)
{
    table = items_new(item);
    cr_assert_not_null(table);
}
static void delete_table(void) { items_delete(table); }
TestSuite(items, .init = make_table, .fini = delete_table);

/* One to one for each kind. */
static uint64_t key_of(enum key_kind kind, uint64_t i)
{
    switch (kind) {
    case KEYS_IN_ORDER:
        return i;
    case KEYS_UPPER_HALF:
        return i << 40;
    case KEYS_REFS:
        return i * 16 << 24 | 7;
    case KEYS_PAIRS:
        return (i / 300 + 1) << 32 | i % 300;
    default:
        return i * 0xd1342543de82ef95ull;
    }
}

static void insert(uint32_t i, uint64_t key)
{
    item[i].key = key;
    items_insert(table, &item[i]);
}

static void insert_all(enum key_kind kind, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++)
        insert(i, key_of(kind, i));
}

static void check_all_found(enum key_kind kind, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++)
        cr_assert_eq(items_find(table, key_of(kind, i)), &item[i], "kind %d, item %u", kind, i);
}

Test(items, an_empty_table_has_nothing)
{
    cr_expect_eq(table->count, 0);
    for (uint64_t key = 0; key < 1000; key++)
        cr_expect_null(items_find(table, key));
    items_delete(NULL);
}

Test(items, a_hundred_thousand_keys_of_each_kind)
{
    for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
        insert_all(kind, MANY);
        cr_expect_eq(table->count, MANY);
        check_all_found(kind, MANY);
        for (uint32_t i = MANY + 1; i < 2 * MANY; i++)
            cr_assert_null(items_find(table, key_of(kind, i)), "kind %d, %u is not there", kind, i);
        items_clear(table);
    }
}

Test(items, an_insertion_splits_one_bucket_at_most)
{
    for (uint32_t i = 1; i <= MANY; i++) {
        uint32_t before = table->buckets;
        insert(i, key_of(KEYS_RANDOM, i));
        cr_assert_eq(table->buckets, before + (i > ITEMS_SEGMENT));
        cr_assert(table->low <= table->buckets && table->buckets < 2 * table->low && !(table->low & (table->low - 1)));
        cr_assert_eq(items_find(table, key_of(KEYS_RANDOM, i / 2 + 1)), &item[i / 2 + 1], "in the middle of growing: %u", i);
    }
}

static uint32_t longest_chain(void)
{
    uint32_t longest = 0;
    for (uint32_t b = 0; b < table->buckets; b++) {
        uint32_t length = 0;
        for (segment_ref r = table->segment[b / ITEMS_SEGMENT][b % ITEMS_SEGMENT]; r; length++)
            r = ((const struct item *)segment_at(item, r))->next;
        longest = length > longest ? length : longest;
    }
    return longest;
}

Test(items, chains_stay_short_for_keys_of_each_kind)
{
    for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
        insert_all(kind, MANY);
        cr_expect_leq(longest_chain(), CHAIN_MAX, "kind %d: %u", kind, longest_chain());
        items_clear(table);
    }
}

Test(items, removal_takes_that_item_and_no_other)
{
    insert_all(KEYS_PAIRS, MANY);
    for (uint32_t i = 1; i <= MANY; i += 2)
        items_remove(table, &item[i]);
    cr_expect_eq(table->count, MANY / 2);
    for (uint32_t i = 1; i <= MANY; i++)
        cr_assert_eq(items_find(table, key_of(KEYS_PAIRS, i)), i % 2 ? NULL : &item[i], "item %u", i);
    items_remove(table, &item[1]);
    cr_expect_eq(table->count, MANY / 2, "what is not there cannot be removed");
}

Test(items, insertions_and_removals_in_any_order)
{
    enum { KEYS = 3000, STEPS = 300000 };
    static bool present[KEYS + 1];
    struct random random = random_seeded(1);
    uint32_t count = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = 1 + random_below(&random, KEYS);
        cr_assert_eq(items_find(table, key_of(KEYS_REFS, i)), present[i] ? &item[i] : NULL, "step %u, item %u", step, i);
        if (present[i])
            items_remove(table, &item[i]);
        else
            insert(i, key_of(KEYS_REFS, i));
        present[i] = !present[i];
        count += present[i] ? 1u : -1u;
        cr_assert_eq(table->count, count);
    }
}

Test(items, clear_forgets_all_and_keeps_the_buckets)
{
    insert_all(KEYS_RANDOM, MANY);
    uint32_t buckets = table->buckets;
    items_clear(table);
    cr_expect_eq(table->count, 0);
    cr_expect_eq(table->buckets, buckets);
    for (uint32_t i = 1; i <= MANY; i++)
        cr_assert_null(items_find(table, key_of(KEYS_RANDOM, i)));
    insert_all(KEYS_IN_ORDER, 1000);
    check_all_found(KEYS_IN_ORDER, 1000);
    cr_expect_eq(table->count, 1000);
}

Test(items, with_all_buckets_there_are_chains_grow)
{
    insert_all(KEYS_RANDOM, MORE_THAN_BUCKETS);
    cr_expect_eq(table->buckets, ITEMS_SEGMENT * ITEMS_SEGMENTS_MAX);
    cr_expect_eq(table->count, MORE_THAN_BUCKETS);
    check_all_found(KEYS_RANDOM, MORE_THAN_BUCKETS);
}
