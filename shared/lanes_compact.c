#include "lanes_inside.h"

#include "word.h"

/* A compaction counts as a record, one that says nothing new. A thread that has ended has no ring for it. */
static void compact(struct writer *w, const uint8_t audience[SEGMENT_AUDIENCES])
{
    bool live = word_get(&w->lane->state) == LANE_LIVE;
    if (live)
        writer_store(w, w->last, record_pack(w->audience, 0, RECORD_AUDIENCE, 0));
    folder_compact(&w->folder, audience);
    if (!live)
        word_put(&w->lane->head, ++w->head);
    w->mixed = true; /* what it has may have another number than its next calls */
}

static void compact_writer(struct writer *w, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool *used)
{
    const struct lane *lane = w->lane;
    uint32_t state = word_get(&lane->state);
    bool counts = word_get(&lane->resets) == word_get(&w->lanes->segment->header->resets);
    if (!counts || (state != LANE_LIVE && state != LANE_EXITED) || (!all && !folder_is_wasteful(&w->folder)))
        return;
    if (state == LANE_LIVE)
        writer_flush(w);
    pthread_mutex_lock(&w->lock);
    if (folder_can_compact(&w->folder, audience))
        compact(w, audience);
    if (all)
        folder_audiences(&w->folder, used);
    pthread_mutex_unlock(&w->lock);
}

void lanes_compact(struct lanes *l, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    pthread_mutex_lock(&l->lock);
    for (struct writer *w = l->all; w; w = w->next)
        compact_writer(w, audience, all, used);
    if (l->graveyard)
        merge_compact(l->graveyard, audience, all, used);
    pthread_mutex_unlock(&l->lock);
}
