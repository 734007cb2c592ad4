/* Members in the order of their scores and, where those tie, of their bytes: a tree of leaves under nodes that know how
   many stand below each of their branches, so that places and ranks are found in O(log n). */
#ifndef KV_RANKS_H
#define KV_RANKS_H

#include "members.h"

typedef struct {
    double score;
    Item *item;
} Rank;

typedef struct {
    uint32_t count, room;
    Rank ranks[];
} Leaf;

enum { LEAF_MOST = 128, LEAF_STEP = 16, NODE_MOST = 64, MOST_HEIGHT = 16 };

typedef struct {
    uint32_t count, sizes[NODE_MOST]; /* how many stand below each branch */
    Rank firsts[NODE_MOST];
    void *branches[NODE_MOST]; /* nodes, or leaves */
} Node;

typedef struct {
    void *root; /* a leaf when the height is 0, NULL when nothing is there */
    size_t held;
    uint32_t count, height;
} Ranks;

typedef struct {
    Node *node;
    uint32_t at;
} Turn;

static inline uint32_t bound(const Rank *ranks, uint32_t count, const Key *key) {
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = (low + count) / 2;
        const Rank *rank = ranks + middle;
        if (stands_before(rank->score, rank->item->bytes, rank->item->length, key)) low = middle + 1;
        else count = middle;
    }
    return low;
}

/* The branch below which *key* belongs. */
static inline uint32_t branch_of(const Node *node, const Key *key) {
    Key within = *key;
    if (key->side == BELOW_BOTH) within.side = UP_TO_BOTH;
    return bound(node->firsts + 1, node->count - 1, &within);
}

static inline size_t leaf_size(uint32_t room) { return sizeof(Leaf) + room * sizeof(Rank); }

static Leaf *leaf_sized(Ranks *ranks, Leaf *leaf, uint32_t room) {
    room = (room + LEAF_STEP - 1) / LEAF_STEP * LEAF_STEP;
    if (leaf && room == leaf->room) return leaf;
    Leaf *made = PyMem_Realloc(leaf, leaf_size(room));
    if (!made) return NULL;
    if (leaf) ranks->held -= weighed(leaf_size(made->room));
    else made->count = 0;
    made->room = room;
    ranks->held += weighed(leaf_size(room));
    return made;
}

static void leaf_free(Ranks *ranks, Leaf *leaf) {
    ranks->held -= weighed(leaf_size(leaf->room));
    PyMem_Free(leaf);
}

static Node *node_new(Ranks *ranks) {
    Node *made = PyMem_Malloc(sizeof(Node));
    if (!made) return NULL;
    made->count = 0;
    ranks->held += weighed(sizeof(Node));
    return made;
}

static void node_free(Ranks *ranks, Node *node) {
    ranks->held -= weighed(sizeof(Node));
    PyMem_Free(node);
}

static void node_move(Node *to, uint32_t place, Node *from, uint32_t at, uint32_t count) {
    memmove(to->sizes + place, from->sizes + at, count * sizeof(uint32_t));
    memmove(to->firsts + place, from->firsts + at, count * sizeof(Rank));
    memmove(to->branches + place, from->branches + at, count * sizeof(void *));
}

static void node_put(Node *node, uint32_t at, void *branch, Rank first, uint32_t size) {
    node_move(node, at + 1, node, at, node->count++ - at);
    node->sizes[at] = size;
    node->firsts[at] = first;
    node->branches[at] = branch;
}

static void node_drop(Node *node, uint32_t at) { node_move(node, at, node, at + 1, --node->count - at); }

static uint32_t node_size(const Node *node) {
    uint32_t total = 0;
    for (uint32_t at = 0; at < node->count; at++) total += node->sizes[at];
    return total;
}

/* The way down to the leaf where *key* belongs; each turn is told that so many more stand there. */
static Leaf *descend(const Ranks *ranks, const Key *key, Turn *turns, uint32_t more) {
    void *found = ranks->root;
    for (uint32_t level = 0; level < ranks->height; level++) {
        Node *node = found;
        uint32_t at = branch_of(node, key);
        turns[level] = (Turn){node, at};
        node->sizes[at] += more;
        found = node->branches[at];
    }
    return found;
}

static inline void **link_to(Ranks *ranks, const Turn *turns, uint32_t level) {
    return level ? &turns[level - 1].node->branches[turns[level - 1].at] : &ranks->root;
}

/* What stands first below the turns above *level* has changed. */
static void note_first(const Turn *turns, uint32_t level, Rank first) {
    while (level--) {
        turns[level].node->firsts[turns[level].at] = first;
        if (turns[level].at) break;
    }
}

/* ---- adding */
static inline void leaf_put(Leaf *leaf, uint32_t at, Rank rank) {
    memmove(leaf->ranks + at + 1, leaf->ranks + at, (leaf->count++ - at) * sizeof(Rank));
    leaf->ranks[at] = rank;
}

/* Put *branch*, which was parted from the one at the lowest turn, beside that; full nodes are parted with *spare* ones,
   in halves, or if all of this is at the *end* of everything, so that they stay full. */
static void grow_up(
    Ranks *ranks, const Turn *turns, void *branch, Rank first, uint32_t size, Node **spare, int end) {
    for (uint32_t level = ranks->height; level--;) {
        Node *node = turns[level].node;
        uint32_t at = turns[level].at + 1, kept = end ? NODE_MOST : NODE_MOST / 2;
        node->sizes[at - 1] -= size;
        if (node->count < NODE_MOST) {
            node_put(node, at, branch, first, size);
            return;
        }
        Node *right = *spare++;
        right->count = NODE_MOST - kept;
        node_move(right, 0, node, kept, right->count);
        node->count = kept;
        if (at > kept || end) node_put(right, at - kept, branch, first, size);
        else node_put(node, at, branch, first, size);
        branch = right, first = right->firsts[0], size = node_size(right);
    }
    Node *root = *spare;
    Rank lowest = ranks->height ? ((Node *)ranks->root)->firsts[0] : ((Leaf *)ranks->root)->ranks[0];
    node_put(root, 0, ranks->root, lowest, ranks->count - size);
    node_put(root, 1, branch, first, size);
    ranks->root = root;
    ranks->height++;
}

/* As many nodes as are full on the way up, and one for a new root if all are. */
static int spare_nodes(Ranks *ranks, const Turn *turns, Node **spare) {
    uint32_t level = ranks->height, wanted = 0;
    while (level && turns[level - 1].node->count == NODE_MOST) level--, wanted++;
    if (!level) wanted++;
    for (uint32_t made = 0; made < wanted; made++) {
        spare[made] = ranks->height < MOST_HEIGHT ? node_new(ranks) : NULL;
        if (spare[made]) continue;
        while (made--) node_free(ranks, spare[made]);
        return -1;
    }
    return 0;
}

/* Part a full leaf, where *rank* belongs at *at*, in two. */
static int leaf_part(Ranks *ranks, const Turn *turns, Leaf *leaf, uint32_t at, Rank rank) {
    Node *spare[MOST_HEIGHT + 1];
    int end = at == LEAF_MOST;
    for (uint32_t level = 0; level < ranks->height; level++) end &= turns[level].at + 1 == turns[level].node->count;
    uint32_t kept = end ? LEAF_MOST : LEAF_MOST / 2;
    Leaf *right = leaf_sized(ranks, NULL, LEAF_MOST - kept + 1);
    if (!right) return -1;
    if (spare_nodes(ranks, turns, spare)) {
        leaf_free(ranks, right);
        return -1;
    }
    right->count = LEAF_MOST - kept;
    memcpy(right->ranks, leaf->ranks + kept, right->count * sizeof(Rank));
    leaf->count = kept;
    if (at > kept || end) leaf_put(right, at - kept, rank);
    else leaf_put(leaf, at, rank);
    Leaf *less = leaf_sized(ranks, leaf, leaf->count);
    if (less) *link_to(ranks, turns, ranks->height) = less;
    if (!at) note_first(turns, ranks->height, rank);
    ranks->count++;
    grow_up(ranks, turns, right, right->ranks[0], right->count, spare, end);
    return 0;
}

/* Add *item* with *score*, a pair that is not there yet; -1 if there is no memory, and then nothing has changed. */
static int ranks_add(Ranks *ranks, double score, Item *item) {
    Turn turns[MOST_HEIGHT];
    Key key = {score, item->bytes, item->length, BELOW_BOTH};
    Rank rank = {score, item};
    if (!ranks->root && !(ranks->root = leaf_sized(ranks, NULL, 1))) return -1;
    Leaf *leaf = descend(ranks, &key, turns, 1);
    uint32_t at = bound(leaf->ranks, leaf->count, &key), level = ranks->height;
    if (leaf->count == LEAF_MOST) {
        if (!leaf_part(ranks, turns, leaf, at, rank)) return 0;
    } else if (leaf->count < leaf->room || (leaf = leaf_sized(ranks, leaf, leaf->room + 1))) {
        *link_to(ranks, turns, level) = leaf;
        leaf_put(leaf, at, rank);
        ranks->count++;
        if (!at) note_first(turns, level, rank);
        return 0;
    }
    while (level--) turns[level].node->sizes[turns[level].at]--;
    return -1;
}

/* Let *item* have *score* instead of *old* where it stands, if that does not lead it out of its leaf. */
static int ranks_shift(Ranks *ranks, double old, double score, Item *item) {
    Turn turns[MOST_HEIGHT];
    Key from = {old, item->bytes, item->length, BELOW_BOTH}, to = {score, item->bytes, item->length, BELOW_BOTH};
    Leaf *leaf = descend(ranks, &from, turns, 0);
    uint32_t at = bound(leaf->ranks, leaf->count, &from), place = bound(leaf->ranks, leaf->count, &to);
    if (!at || !place || place == leaf->count) return 0;
    if (place > at) memmove(leaf->ranks + at, leaf->ranks + at + 1, (--place - at) * sizeof(Rank));
    else memmove(leaf->ranks + place + 1, leaf->ranks + place, (at - place) * sizeof(Rank));
    leaf->ranks[place] = (Rank){score, item};
    return 1;
}

/* ---- taking out */
/* Bring two leaves that are small, or two nodes, together. */
static int joined(Ranks *ranks, Node *node, uint32_t at, int leaves) {
    void *left = node->branches[at], *right = node->branches[at + 1];
    if (leaves) {
        Leaf *one = left, *other = right;
        if (one->count + other->count > LEAF_MOST / 4 * 3) return 0;
        one = leaf_sized(ranks, one, one->count + other->count);
        if (!one) return 0;
        memcpy(one->ranks + one->count, other->ranks, other->count * sizeof(Rank));
        one->count += other->count;
        leaf_free(ranks, other);
        node->branches[at] = one;
    } else {
        Node *one = left, *other = right;
        if (one->count + other->count > NODE_MOST / 4 * 3) return 0;
        node_move(one, one->count, other, 0, other->count);
        one->count += other->count;
        node_free(ranks, other);
    }
    node->sizes[at] += node->sizes[at + 1];
    node_drop(node, at + 1);
    return 1;
}

/* Some went from the branch of the lowest turn, and of what is small two become one. */
static void shrink_up(Ranks *ranks, const Turn *turns) {
    for (uint32_t level = ranks->height; level--;) {
        Node *node = turns[level].node;
        uint32_t at = turns[level].at;
        int leaves = level == ranks->height - 1;
        uint32_t count = leaves ? ((Leaf *)node->branches[at])->count : ((Node *)node->branches[at])->count;
        if (!count) {
            if (leaves) leaf_free(ranks, node->branches[at]);
            else node_free(ranks, node->branches[at]);
            node_drop(node, at);
            if (!at && node->count) note_first(turns, level, node->firsts[0]);
        } else if (count < (uint32_t)(leaves ? LEAF_MOST / 4 : NODE_MOST / 4)) {
            if (!(at + 1 < node->count && joined(ranks, node, at, leaves)) && at) joined(ranks, node, at - 1, leaves);
        }
    }
    while (ranks->height && ((Node *)ranks->root)->count <= 1) {
        Node *root = ranks->root;
        ranks->root = root->count ? root->branches[0] : NULL;
        ranks->height = root->count ? ranks->height - 1 : 0;
        node_free(ranks, root);
    }
}

/* Take out *item*, which is there with *score*. */
static void ranks_remove(Ranks *ranks, double score, const Item *item) {
    Turn turns[MOST_HEIGHT];
    Key key = {score, item->bytes, item->length, BELOW_BOTH};
    Leaf *leaf = descend(ranks, &key, turns, (uint32_t)-1);
    uint32_t at = bound(leaf->ranks, leaf->count, &key), level = ranks->height;
    memmove(leaf->ranks + at, leaf->ranks + at + 1, (--leaf->count - at) * sizeof(Rank));
    ranks->count--;
    if (!leaf->count && !level) {
        leaf_free(ranks, leaf);
        ranks->root = NULL;
        return;
    }
    if (!at && leaf->count) note_first(turns, level, leaf->ranks[0]);
    if (leaf->room - leaf->count > 2 * LEAF_STEP) {
        Leaf *less = leaf_sized(ranks, leaf, leaf->count + 1);
        if (less) *link_to(ranks, turns, level) = leaf = less;
    }
    if (level && leaf->count < LEAF_MOST / 4) shrink_up(ranks, turns);
}

/* ---- looking */
static uint32_t ranks_below(const Ranks *ranks, const Key *key) {
    const void *found = ranks->root;
    uint32_t before = 0;
    if (!found) return 0;
    for (uint32_t level = 0; level < ranks->height; level++) {
        const Node *node = found;
        uint32_t at = branch_of(node, key);
        found = node->branches[at];
        for (uint32_t passed = 0; passed < at; passed++) before += node->sizes[passed];
    }
    const Leaf *leaf = found;
    return before + bound(leaf->ranks, leaf->count, key);
}

/* The leaf with the *rank*th, which there must be, and in *rank* its place there. */
static const Leaf *leaf_with(const Ranks *ranks, uint32_t *rank) {
    const void *found = ranks->root;
    for (uint32_t level = 0; level < ranks->height; level++) {
        const Node *node = found;
        uint32_t at = 0;
        while (*rank >= node->sizes[at]) *rank -= node->sizes[at++];
        found = node->branches[at];
    }
    return found;
}

/* ---- as a whole */
/* Free the last leaf with the nodes that lead to nothing else. */
static void ranks_free_last(Ranks *ranks) {
    Turn turns[MOST_HEIGHT];
    void *found = ranks->root;
    for (uint32_t level = 0; level < ranks->height; level++) {
        Node *node = found;
        turns[level] = (Turn){node, node->count - 1};
        found = node->branches[node->count - 1];
    }
    leaf_free(ranks, found);
    for (uint32_t level = ranks->height; level--;) {
        if (--turns[level].node->count) return;
        node_free(ranks, turns[level].node);
    }
    ranks->root = NULL;
    ranks->height = 0;
}

static void branch_free(Ranks *ranks, void *branch, uint32_t height) {
    if (!height) {
        leaf_free(ranks, branch);
        return;
    }
    Node *node = branch;
    for (uint32_t at = 0; at < node->count; at++) branch_free(ranks, node->branches[at], height - 1);
    node_free(ranks, node);
}

static void ranks_end(Ranks *ranks) {
    if (ranks->root) branch_free(ranks, ranks->root, ranks->height);
    *ranks = (Ranks){0};
}

/* The same branch of the *items* of a copy; where memory fails, less of it, as the count will show. */
static void *branch_copy(Ranks *ranks, const void *from, uint32_t height, Item *const *items) {
    if (!height) {
        const Leaf *leaf = from;
        Leaf *made = leaf_sized(ranks, NULL, leaf->count);
        if (!made) return NULL;
        made->count = leaf->count;
        ranks->count += leaf->count;
        for (uint32_t at = 0; at < leaf->count; at++)
            made->ranks[at] = (Rank){leaf->ranks[at].score, items[leaf->ranks[at].item->place]};
        return made;
    }
    const Node *node = from;
    Node *made = node_new(ranks);
    if (!made) return NULL;
    for (; made->count < node->count; made->count++) {
        uint32_t at = made->count;
        made->branches[at] = branch_copy(ranks, node->branches[at], height - 1, items);
        if (!made->branches[at]) break;
        made->sizes[at] = node->sizes[at];
        made->firsts[at] = (Rank){node->firsts[at].score, items[node->firsts[at].item->place]};
    }
    return made;
}

#endif
