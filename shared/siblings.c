#include "siblings.h"

static bool before(const struct profile *p, uint32_t a, uint32_t b)
{
    const struct profile_node *x = &p->node[a], *y = &p->node[b];
    if (x->t.inclusive != y->t.inclusive)
        return x->t.inclusive > y->t.inclusive;
    return a < b;
}

/* Merge sort. */
uint32_t siblings_sort(struct profile *p, uint32_t head)
{
    if (!head || !p->node[head].next_sibling)
        return head;
    uint32_t slow = head, fast = p->node[head].next_sibling;
    while (fast && (fast = p->node[fast].next_sibling)) {
        slow = p->node[slow].next_sibling;
        fast = p->node[fast].next_sibling;
    }
    uint32_t b = p->node[slow].next_sibling;
    p->node[slow].next_sibling = 0;
    uint32_t a = siblings_sort(p, head), result = 0, *link = &result;
    b = siblings_sort(p, b);
    while (a && b) {
        uint32_t *next = before(p, a, b) ? &a : &b;
        *link = *next;
        link = &p->node[*next].next_sibling;
        *next = *link;
    }
    *link = a ? a : b;
    return result;
}
