/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ordered tree, links embedded in the members (AVL, so at most 1.44 log2 n
 * deep, without any randomness). The smallest member is cached: timers and run
 * queues look at it all the time. No locks, no allocation; the owner guards it.
 *
 * Zeroed memory is an empty tree and an unlinked node.
 */
#pragma once

#include "lib/types.h"

struct tree_node {
    struct tree_node *parent;
    struct tree_node *child[2]; /* [0] smaller, [1] not smaller */
    int height;                 /* leaf 1; 0: not in a tree */
};

struct tree {
    struct tree_node *root;
    struct tree_node *first;
};

/* True when a belongs strictly before b. */
typedef bool tree_less_fn(const struct tree_node *a, const struct tree_node *b);

#define tree_entry(node, type, member) container_of(node, type, member)

/*
 * Links `node`, which must be in no tree. Among equals it goes last, so equal
 * members leave in the order in which they came. O(log n).
 */
void tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn *less);
/* Unlinks `node`, which must be in this tree. O(log n). */
void tree_remove(struct tree *tree, struct tree_node *node);
/* The next in order, NULL at the end; the largest, NULL when empty. */
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_last(const struct tree *tree);

/* The smallest, NULL when empty. */
static inline struct tree_node *tree_first(const struct tree *tree)
{
    return tree->first;
}

static inline bool tree_empty(const struct tree *tree)
{
    return tree->root == NULL;
}
