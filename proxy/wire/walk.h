/* The header walk over one direction of a stream; the semantics are documented in framing.py and tested there. */

#ifndef CAUSEWAY_WALK_H
#define CAUSEWAY_WALK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define MAX_MESSAGE_LENGTH 0x3FFFFFFFu
#define WALK_SKIP 0
#define WALK_TYPE 1
#define WALK_BODY 2

typedef struct {
    unsigned char want[256];
    unsigned char header[5];
    unsigned char kind;
    unsigned char have; /* bytes of a header begun in an earlier chunk, 0..4 */
    char broken;
    Py_ssize_t left; /* bytes of the current body still to come */
    Py_ssize_t cap;
    unsigned char *body; /* a wanted body begun in an earlier chunk; owned */
    Py_ssize_t body_used;
    Py_ssize_t body_room;
    unsigned long long messages;
} WalkState;

/* Told of a message that was asked for; -1 with an exception set ends the walk. */
typedef int (*WalkFound)(void *context, unsigned char kind, const unsigned char *body, Py_ssize_t size);

static void
walk_want(WalkState *walk, const unsigned char *kinds, Py_ssize_t count, unsigned char how)
{
    for (Py_ssize_t i = 0; i < count; i++)
        walk->want[kinds[i]] = how;
}

static int
walk_whole(const WalkState *walk)
{
    return !walk->left && !walk->have && !walk->broken;
}

static void
walk_free(WalkState *walk)
{
    PyMem_Free(walk->body);
    walk->body = NULL;
}

/* Adds bytes to the begun body, growing by what has arrived and never by what was declared. */
static int
walk_keep(WalkState *walk, const unsigned char *data, Py_ssize_t size)
{
    Py_ssize_t room = walk->cap - walk->body_used;
    if (size > room)
        size = room;
    if (size <= 0)
        return 0;
    if (walk->body_used + size > walk->body_room) {
        Py_ssize_t wanted = (walk->body_used + size) * 2;
        if (wanted > walk->cap)
            wanted = walk->cap;
        unsigned char *grown = PyMem_Realloc(walk->body, wanted);
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        walk->body = grown;
        walk->body_room = wanted;
    }
    memcpy(walk->body + walk->body_used, data, size);
    walk->body_used += size;
    return 0;
}

/* Walks data, which continues what was walked before; -1 with an exception set where `found` or memory failed. */
static int
walk_chunk(WalkState *walk, const unsigned char *data, Py_ssize_t size, WalkFound found, void *context)
{
    Py_ssize_t at = 0;
    while (at < size && !walk->broken) {
        if (walk->left) {
            Py_ssize_t take = walk->left < size - at ? walk->left : size - at;
            if (walk->body && walk_keep(walk, data + at, take) < 0)
                return -1;
            walk->left -= take;
            at += take;
            if (!walk->left && walk->body) {
                int status = found(context, walk->kind, walk->body, walk->body_used);
                walk_free(walk);
                if (status < 0)
                    return -1;
            }
            continue;
        }
        const unsigned char *header;
        if (walk->have || size - at < 5) {
            Py_ssize_t take = 5 - walk->have < size - at ? 5 - walk->have : size - at;
            memcpy(walk->header + walk->have, data + at, take);
            walk->have += (unsigned char)take;
            at += take;
            if (walk->have < 5)
                return 0;
            walk->have = 0;
            header = walk->header;
        }
        else {
            header = data + at;
            at += 5;
        }
        uint32_t length = (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 8 | header[4];
        if (length < 4 || length > MAX_MESSAGE_LENGTH) {
            walk->broken = 1;
            return 0;
        }
        walk->messages++;
        walk->kind = header[0];
        Py_ssize_t body_size = (Py_ssize_t)length - 4;
        unsigned char wanted = walk->want[walk->kind];
        if (wanted == WALK_TYPE) {
            if (found(context, walk->kind, NULL, 0) < 0)
                return -1;
        }
        else if (wanted == WALK_BODY) {
            if (body_size <= size - at) {
                Py_ssize_t shown = body_size < walk->cap ? body_size : walk->cap;
                if (found(context, walk->kind, data + at, shown) < 0)
                    return -1;
            }
            else {
                walk->body_used = 0;
                walk->body_room = walk->cap < 64 ? walk->cap : 64;
                walk->body = PyMem_Malloc(walk->body_room ? walk->body_room : 1);
                if (!walk->body) {
                    PyErr_NoMemory();
                    return -1;
                }
                walk->left = body_size;
                continue;
            }
        }
        if (body_size <= size - at)
            at += body_size;
        else {
            walk->left = body_size - (size - at);
            at = size;
        }
    }
    return 0;
}

#endif
