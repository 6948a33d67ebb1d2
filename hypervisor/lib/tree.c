/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See tree.h. An AVL tree: the heights of two siblings differ by at most one.
 * Insertion and removal both change one place and then walk from there to the
 * root, restoring heights and balance; that walk is the only hard part.
 */
#include "lib/tree.h"

static int height(const struct tree_node *node)
{
    return node ? node->height : 0;
}

static int taller_side(const struct tree_node *node)
{
    return height(node->child[1]) > height(node->child[0]);
}

static void update_height(struct tree_node *node)
{
    node->height = 1 + height(node->child[taller_side(node)]);
}

/* Lets `new` (may be NULL) take the place of `old` below old's parent. */
static void replace_child(struct tree *tree, struct tree_node *parent, struct tree_node *old,
                          struct tree_node *new)
{
    if (!parent)
        tree->root = new;
    else
        parent->child[parent->child[1] == old] = new;
    if (new)
        new->parent = parent;
}

/* Lifts the child on `side` above `node`; returns that child. */
static struct tree_node *lift(struct tree *tree, struct tree_node *node, int side)
{
    struct tree_node *child = node->child[side];
    struct tree_node *inner = child->child[!side];

    replace_child(tree, node->parent, node, child);
    child->child[!side] = node;
    node->parent = child;
    node->child[side] = inner;
    if (inner)
        inner->parent = node;
    update_height(node);
    update_height(child);
    return child;
}

/* Restores heights and balance from `node` upwards; stops where nothing changes. */
static void rebalance(struct tree *tree, struct tree_node *node)
{
    while (node) {
        int before = node->height;
        int side = taller_side(node);
        struct tree_node *child = node->child[side];

        update_height(node);
        if (height(child) > height(node->child[!side]) + 1) {
            /* The inner grandchild must not be the taller one when the child goes up. */
            if (height(child->child[!side]) > height(child->child[side]))
                lift(tree, child, !side);
            node = lift(tree, node, side);
        }
        if (node->height == before)
            return;
        node = node->parent;
    }
}

void tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn *less)
{
    struct tree_node *parent = NULL;
    struct tree_node **link = &tree->root;
    bool is_first = true;

    while (*link) {
        int side = !less(node, *link);

        parent = *link;
        is_first = is_first && side == 0;
        link = &parent->child[side];
    }
    node->parent = parent;
    node->child[0] = node->child[1] = NULL;
    node->height = 1;
    *link = node;
    if (is_first)
        tree->first = node;
    rebalance(tree, parent);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    struct tree_node *lowest_changed = node->parent;

    if (tree->first == node)
        tree->first = tree_next(node);

    if (node->child[0] && node->child[1]) {
        /* The next in order has no smaller child: it takes node's place. */
        struct tree_node *heir = tree_next(node);

        lowest_changed = heir->parent == node ? heir : heir->parent;
        replace_child(tree, heir->parent, heir, heir->child[1]);
        replace_child(tree, node->parent, node, heir);
        for (int side = 0; side < 2; side++) {
            heir->child[side] = node->child[side];
            if (heir->child[side])
                heir->child[side]->parent = heir;
        }
        heir->height = node->height;
    } else {
        replace_child(tree, node->parent, node, node->child[node->child[0] == NULL]);
    }
    rebalance(tree, lowest_changed);
    *node = (struct tree_node){0};
}

struct tree_node *tree_next(const struct tree_node *node)
{
    struct tree_node *at = node->child[1];

    while (at && at->child[0])
        at = at->child[0];
    if (at)
        return at;
    for (at = node->parent; at && at->child[1] == node; at = at->parent)
        node = at;
    return at;
}

struct tree_node *tree_last(const struct tree *tree)
{
    struct tree_node *at = tree->root;

    while (at && at->child[1])
        at = at->child[1];
    return at;
}
