/* The compiled twin of PyHeaderWalk in framing.py; the semantics are documented and tested there. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

#define MAX_MESSAGE_LENGTH 0x3FFFFFFFu
#define SKIP 0
#define TYPE 1
#define BODY 2

typedef struct {
    PyObject_HEAD
    unsigned char want[256];
    unsigned char header[5];
    unsigned char kind;
    unsigned char have;        /* bytes of a header begun in an earlier chunk, 0..4 */
    char broken;
    Py_ssize_t left;           /* bytes of the current body still to come */
    Py_ssize_t cap;
    unsigned char *body;       /* a wanted body begun in an earlier chunk; owned */
    Py_ssize_t body_used;
    Py_ssize_t body_room;
    unsigned long long messages;
    PyObject *empty;
} Walk;

static int
walk_init(Walk *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"types", "bodies", "cap", NULL};
    const unsigned char *types, *bodies;
    Py_ssize_t n_types, n_bodies, cap;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y#y#n", names, &types, &n_types, &bodies, &n_bodies, &cap))
        return -1;
    if (cap < 0) {
        PyErr_SetString(PyExc_ValueError, "cap must not be negative");
        return -1;
    }
    memset(self->want, SKIP, sizeof self->want);
    for (Py_ssize_t i = 0; i < n_types; i++)
        self->want[types[i]] = TYPE;
    for (Py_ssize_t i = 0; i < n_bodies; i++)
        self->want[bodies[i]] = BODY;
    self->cap = cap;
    self->have = 0;
    self->left = 0;
    self->broken = 0;
    self->messages = 0;
    PyMem_Free(self->body);
    self->body = NULL;
    if (!self->empty)
        self->empty = PyBytes_FromStringAndSize("", 0);
    return self->empty ? 0 : -1;
}

static void
walk_dealloc(Walk *self)
{
    PyMem_Free(self->body);
    Py_XDECREF(self->empty);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Appends (kind, body) to *found, creating the list; steals the reference to body. */
static int
report(PyObject **found, unsigned char kind, PyObject *body)
{
    if (!body)
        return -1;
    if (!*found && !(*found = PyList_New(0))) {
        Py_DECREF(body);
        return -1;
    }
    PyObject *pair = PyTuple_New(2);
    PyObject *number = pair ? PyLong_FromLong(kind) : NULL;
    if (!number) {
        Py_XDECREF(pair);
        Py_DECREF(body);
        return -1;
    }
    PyTuple_SET_ITEM(pair, 0, number);
    PyTuple_SET_ITEM(pair, 1, body);
    int status = PyList_Append(*found, pair);
    Py_DECREF(pair);
    return status;
}

/* Adds bytes to the begun body, growing by what has arrived and never by what was declared. */
static int
keep(Walk *self, const unsigned char *data, Py_ssize_t size)
{
    Py_ssize_t room = self->cap - self->body_used;
    if (size > room)
        size = room;
    if (size <= 0)
        return 0;
    if (self->body_used + size > self->body_room) {
        Py_ssize_t wanted = (self->body_used + size) * 2;
        if (wanted > self->cap)
            wanted = self->cap;
        unsigned char *grown = PyMem_Realloc(self->body, wanted);
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        self->body = grown;
        self->body_room = wanted;
    }
    memcpy(self->body + self->body_used, data, size);
    self->body_used += size;
    return 0;
}

static PyObject *
walk_feed(Walk *self, PyObject *argument)
{
    char *raw;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(argument, &raw, &size) < 0)
        return NULL;
    if (self->broken)
        Py_RETURN_NONE;
    const unsigned char *data = (const unsigned char *)raw;
    Py_ssize_t at = 0;
    PyObject *found = NULL;

    while (at < size) {
        if (self->left) {
            Py_ssize_t take = self->left < size - at ? self->left : size - at;
            if (self->body && keep(self, data + at, take) < 0)
                goto failed;
            self->left -= take;
            at += take;
            if (!self->left && self->body) {
                PyObject *body = PyBytes_FromStringAndSize((char *)self->body, self->body_used);
                PyMem_Free(self->body);
                self->body = NULL;
                if (report(&found, self->kind, body) < 0)
                    goto failed;
            }
            continue;
        }
        const unsigned char *header;
        if (self->have || size - at < 5) {
            Py_ssize_t take = 5 - self->have < size - at ? 5 - self->have : size - at;
            memcpy(self->header + self->have, data + at, take);
            self->have += (unsigned char)take;
            at += take;
            if (self->have < 5)
                break;
            self->have = 0;
            header = self->header;
        }
        else {
            header = data + at;
            at += 5;
        }
        uint32_t length = (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 8 | header[4];
        if (length < 4 || length > MAX_MESSAGE_LENGTH) {
            self->broken = 1;
            break;
        }
        self->messages++;
        self->kind = header[0];
        Py_ssize_t body_size = (Py_ssize_t)length - 4;
        unsigned char wanted = self->want[self->kind];
        if (wanted == TYPE) {
            if (report(&found, self->kind, Py_NewRef(self->empty)) < 0)
                goto failed;
        }
        else if (wanted == BODY) {
            if (body_size <= size - at) {
                Py_ssize_t shown = body_size < self->cap ? body_size : self->cap;
                if (report(&found, self->kind, PyBytes_FromStringAndSize((char *)data + at, shown)) < 0)
                    goto failed;
            }
            else {
                self->body_used = 0;
                self->body_room = 64;
                self->body = PyMem_Malloc(self->body_room);
                if (!self->body) {
                    PyErr_NoMemory();
                    goto failed;
                }
                if (self->body_room > self->cap)
                    self->body_room = self->cap;
                self->left = body_size;
                continue;
            }
        }
        if (body_size <= size - at)
            at += body_size;
        else
            self->left = body_size;
    }
    if (found)
        return found;
    Py_RETURN_NONE;

failed:
    Py_XDECREF(found);
    return NULL;
}

static PyObject *
walk_at_boundary(Walk *self, void *closure)
{
    return PyBool_FromLong(!self->left && !self->have && !self->broken);
}

static PyMethodDef walk_methods[] = {
    {"feed", (PyCFunction)walk_feed, METH_O, "Walks data, which continues what was fed before."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef walk_members[] = {
    {"broken", T_BOOL, offsetof(Walk, broken), READONLY, NULL},
    {"cap", T_PYSSIZET, offsetof(Walk, cap), READONLY, NULL},
    {"messages", T_ULONGLONG, offsetof(Walk, messages), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef walk_getset[] = {
    {"at_boundary", (getter)walk_at_boundary, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject WalkType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "proxy.wire._framing.HeaderWalk",
    .tp_basicsize = sizeof(Walk),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)walk_init,
    .tp_dealloc = (destructor)walk_dealloc,
    .tp_methods = walk_methods,
    .tp_members = walk_members,
    .tp_getset = walk_getset,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "proxy.wire._framing",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__framing(void)
{
    if (PyType_Ready(&WalkType) < 0)
        return NULL;
    PyObject *created = PyModule_Create(&module);
    if (!created)
        return NULL;
    if (PyModule_AddObjectRef(created, "HeaderWalk", (PyObject *)&WalkType) < 0) {
        Py_DECREF(created);
        return NULL;
    }
    return created;
}
