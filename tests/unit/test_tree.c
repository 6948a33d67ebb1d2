// sources: lib/tree.c
/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree against a sorted array, and the list against an array: random operations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lib/list.h"
#include "lib/tree.h"

#define MEMBERS 300

struct member {
    int key;
    int stamp; /* rises with every insertion: the order among equals */
    struct tree_node node;
    struct list_head link;
};

static struct member members[MEMBERS];

static struct member *of(const struct tree_node *node)
{
    return tree_entry(node, struct member, node);
}

static bool less(const struct tree_node *a, const struct tree_node *b)
{
    return of(a)->key < of(b)->key;
}

static bool linked(const struct member *m)
{
    return m->node.height != 0;
}

/* Heights, balance and back links below `node`; returns the height. */
static int check_shape(const struct tree_node *node, const struct tree_node *parent)
{
    int left, right;

    if (!node)
        return 0;
    assert_ptr_equal(node->parent, parent);
    left = check_shape(node->child[0], node);
    right = check_shape(node->child[1], node);
    assert_in_range(left - right + 1, 0, 2);
    assert_int_equal(node->height, 1 + MAX(left, right));
    return node->height;
}

static void check_order(const struct tree *tree, int count)
{
    const struct tree_node *at = tree_first(tree), *before = NULL;
    int seen = 0;

    for (; at; before = at, at = tree_next(at), seen++) {
        if (!before)
            continue;
        assert_true(of(before)->key <= of(at)->key);
        if (of(before)->key == of(at)->key)
            assert_true(of(before)->stamp < of(at)->stamp);
    }
    assert_int_equal(seen, count);
    assert_ptr_equal(tree_last(tree), before);
    assert_int_equal(tree_empty(tree), count == 0);
}

static void test_tree(void **state)
{
    struct tree tree = {0};
    int count = 0, stamp = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct member *m = &members[rand() % MEMBERS];
        /* Grow for a while, then shrink for a while. */
        bool grow = round / 1000 % 2 ? rand() % 3 : rand() % 3 == 0;

        if (linked(m) && !grow) {
            tree_remove(&tree, &m->node);
            assert_false(linked(m));
            count--;
        } else if (!linked(m) && grow) {
            m->key = rand() % 100;
            m->stamp = stamp++;
            tree_insert(&tree, &m->node, less);
            assert_true(linked(m));
            count++;
        }
        if (round % 16 == 0) {
            check_shape(tree.root, NULL);
            check_order(&tree, count);
        }
    }
    while (!tree_empty(&tree)) {
        tree_remove(&tree, tree_first(&tree));
        check_shape(tree.root, NULL);
        check_order(&tree, --count);
    }
}

static int list_text(struct list_head *head, char *text)
{
    struct member *m;
    int length = 0;

    text[0] = '\0';
    list_for_each (m, head, link)
        length += sprintf(text + length, "%d", m->key);
    return length;
}

static void test_list(void **state)
{
    struct list_head a = LIST_HEAD_INIT(a), b;
    struct member *m, *next;
    char text[32];

    (void)state;
    list_init(&b);
    assert_true(list_empty(&a));
    for (int i = 0; i < 8; i++) {
        members[i].key = i;
        list_init(&members[i].link);
        if (i < 4)
            list_add_tail(&members[i].link, &a);
        else
            list_add_tail(&members[i].link, b.next); /* in front of all */
    }
    list_text(&a, text);
    assert_string_equal(text, "0123");
    list_text(&b, text);
    assert_string_equal(text, "7654");
    assert_int_equal(list_first(&b, struct member, link)->key, 7);

    while (!list_empty(&a)) {
        m = list_first(&a, struct member, link);
        list_del(&m->link);
        list_add_tail(&m->link, &b);
    }
    list_text(&b, text);
    assert_string_equal(text, "76540123");

    list_for_each_safe (m, next, &b, link)
        if (m->key % 2)
            list_del(&m->link);
    list_del(&members[1].link);
    assert_true(list_empty(&members[1].link));
    list_text(&b, text);
    assert_string_equal(text, "6402");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_list),
    };

    srand(1);
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
