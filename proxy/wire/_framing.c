/* The compiled twin of PyHeaderWalk in framing.py; the semantics are documented and tested there. */

#include "walk.h"
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    WalkState walk;
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
    walk_free(&self->walk);
    memset(&self->walk, 0, sizeof self->walk);
    walk_want(&self->walk, types, n_types, WALK_TYPE);
    walk_want(&self->walk, bodies, n_bodies, WALK_BODY);
    self->walk.cap = cap;
    if (!self->empty)
        self->empty = PyBytes_FromStringAndSize("", 0);
    return self->empty ? 0 : -1;
}

static void
walk_dealloc(Walk *self)
{
    walk_free(&self->walk);
    Py_XDECREF(self->empty);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

typedef struct {
    Walk *walk;
    PyObject *list; /* made when the first message is found */
} Report;

static int
report(void *context, unsigned char kind, const unsigned char *body, Py_ssize_t size)
{
    Report *to = context;
    if (!to->list && !(to->list = PyList_New(0)))
        return -1;
    PyObject *bytes = body ? PyBytes_FromStringAndSize((const char *)body, size) : Py_NewRef(to->walk->empty);
    PyObject *number = PyLong_FromLong(kind);
    PyObject *pair = bytes && number ? PyTuple_New(2) : NULL;
    if (!pair) {
        Py_XDECREF(bytes);
        Py_XDECREF(number);
        return -1;
    }
    PyTuple_SET_ITEM(pair, 0, number);
    PyTuple_SET_ITEM(pair, 1, bytes);
    int status = PyList_Append(to->list, pair);
    Py_DECREF(pair);
    return status;
}

static PyObject *
walk_feed(Walk *self, PyObject *argument)
{
    char *raw;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(argument, &raw, &size) < 0)
        return NULL;
    Report to = {self, NULL};
    if (walk_chunk(&self->walk, (const unsigned char *)raw, size, report, &to) < 0) {
        Py_XDECREF(to.list);
        return NULL;
    }
    if (to.list)
        return to.list;
    Py_RETURN_NONE;
}

static PyObject *
walk_at_boundary(Walk *self, void *closure)
{
    return PyBool_FromLong(walk_whole(&self->walk));
}

static PyObject *
run_end(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "run_end takes bytes and a position");
        return NULL;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]), at = PyLong_AsSsize_t(args[1]);
    if (at == -1 && PyErr_Occurred())
        return NULL;
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    if (at < 0 || at >= size)
        return Py_NewRef(args[1]);
    unsigned char kind = data[at];
    while (size - at >= 5 && data[at] == kind) {
        uint32_t length = (uint32_t)data[at + 1] << 24 | (uint32_t)data[at + 2] << 16
                          | (uint32_t)data[at + 3] << 8 | data[at + 4];
        if (length < 4 || length > MAX_MESSAGE_LENGTH || (Py_ssize_t)length > size - at - 1)
            break;
        at += 1 + (Py_ssize_t)length;
    }
    return PyLong_FromSsize_t(at);
}

static PyMethodDef functions[] = {
    {"run_end", (PyCFunction)(void (*)(void))run_end, METH_FASTCALL, "Where the whole messages of one type end."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef walk_methods[] = {
    {"feed", (PyCFunction)walk_feed, METH_O, "Walks data, which continues what was fed before."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef walk_members[] = {
    {"broken", T_BOOL, offsetof(Walk, walk.broken), READONLY, NULL},
    {"cap", T_PYSSIZET, offsetof(Walk, walk.cap), READONLY, NULL},
    {"messages", T_ULONGLONG, offsetof(Walk, walk.messages), READONLY, NULL},
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
    .m_methods = functions,
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
