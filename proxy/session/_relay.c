/* The compiled twins of PyPipeline (pipeline.py) and PyRelayCore (relay.py), where the semantics are documented.

   What happens with nearly every chunk is done here; what is rare (errors, unknown messages, a drain) is a method of
   the Python class on top, called by name. */

#include "../wire/walk.h"
#include <structmember.h>
#include <sys/socket.h>
#include <time.h>

#define STARTUP 0
#define IS_COPY_END(kind) ((kind) == 'c' || (kind) == 'f')

/* Places in the array of proxy.admin.counters.Counters.path. */
#define BYTES_FROM_CLIENT 0
#define BYTES_FROM_SERVER 1
#define OWN_SHARE_SUM 2
#define OWN_SHARE 3

/* Pipeline */

typedef struct {
    PyObject_HEAD
    unsigned char *items; /* the outstanding requests are items[first .. first + count - 1]; owned */
    Py_ssize_t first;
    Py_ssize_t count;
    Py_ssize_t room;
    char copying;
    unsigned char status;
    unsigned long long surplus;
    unsigned char small[16]; /* where items points to until there are more */
} Pipeline;

static int
pipeline_append(Pipeline *self, unsigned char kind)
{
    if (self->first + self->count == self->room) {
        if (self->first) {
            memmove(self->items, self->items + self->first, self->count);
            self->first = 0;
        }
        if (self->count == self->room) {
            Py_ssize_t wanted = self->room * 2;
            unsigned char *grown = PyMem_Malloc(wanted);
            if (!grown) {
                PyErr_NoMemory();
                return -1;
            }
            memcpy(grown, self->items, self->count);
            if (self->items != self->small)
                PyMem_Free(self->items);
            self->items = grown;
            self->room = wanted;
        }
    }
    self->items[self->first + self->count++] = kind;
    return 0;
}

static int
pipeline_sent_(Pipeline *self, unsigned char kind)
{
    if (IS_COPY_END(kind)) {
        if (self->copying) {
            self->copying = 0;
            return 0;
        }
        return self->count ? pipeline_append(self, kind) : 0;
    }
    if (kind == 'S' && self->copying)
        return 0;
    return pipeline_append(self, kind);
}

static void
pipeline_copy_in_(Pipeline *self)
{
    unsigned char *items = self->items + self->first;
    Py_ssize_t at = self->count && items[0] == 'Q' ? 1 : 0, to = at;
    for (; at < self->count && !IS_COPY_END(items[at]); at++)
        if (items[at] != 'S')
            items[to++] = items[at];
    if (at == self->count)
        self->copying = 1;
    else
        at++;
    memmove(items + to, items + at, self->count - at);
    self->count = to + self->count - at;
}

static void
pipeline_ready_(Pipeline *self, unsigned char status)
{
    int answered = 0;
    self->status = status;
    self->copying = 0;
    while (self->count && (!answered || IS_COPY_END(self->items[self->first]))) {
        answered |= !IS_COPY_END(self->items[self->first]);
        self->first++;
        self->count--;
    }
    if (!self->count)
        self->first = 0;
    if (!answered)
        self->surplus++;
}

static int
pipeline_idle_(const Pipeline *self)
{
    return self->status == 'I' && !self->count;
}

static PyObject *
pipeline_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Pipeline *self = (Pipeline *)type->tp_alloc(type, 0);
    if (self) {
        self->items = self->small;
        self->room = sizeof self->small;
        self->items[0] = STARTUP;
        self->count = 1;
    }
    return (PyObject *)self;
}

static void
pipeline_dealloc(Pipeline *self)
{
    if (self->items != self->small)
        PyMem_Free(self->items);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
pipeline_sent(Pipeline *self, PyObject *argument)
{
    long kind = PyLong_AsLong(argument);
    if (kind == -1 && PyErr_Occurred())
        return NULL;
    if (pipeline_sent_(self, (unsigned char)kind) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
pipeline_copy_in(Pipeline *self, PyObject *unused)
{
    pipeline_copy_in_(self);
    Py_RETURN_NONE;
}

static PyObject *
pipeline_failed(Pipeline *self, PyObject *unused)
{
    self->copying = 0;
    Py_RETURN_NONE;
}

static PyObject *
pipeline_ready(Pipeline *self, PyObject *argument)
{
    long status = PyLong_AsLong(argument);
    if (status == -1 && PyErr_Occurred())
        return NULL;
    pipeline_ready_(self, (unsigned char)status);
    Py_RETURN_NONE;
}

static PyObject *
pipeline_idle(Pipeline *self, void *closure)
{
    return PyBool_FromLong(pipeline_idle_(self));
}

static PyObject *
pipeline_outstanding(Pipeline *self, void *closure)
{
    Py_ssize_t owed = 0;
    for (Py_ssize_t i = 0; i < self->count; i++)
        owed += !IS_COPY_END(self->items[self->first + i]);
    return PyLong_FromSsize_t(owed);
}

static PyMethodDef pipeline_methods[] = {
    {"sent", (PyCFunction)pipeline_sent, METH_O, NULL},
    {"copy_in", (PyCFunction)pipeline_copy_in, METH_NOARGS, NULL},
    {"failed", (PyCFunction)pipeline_failed, METH_NOARGS, NULL},
    {"ready", (PyCFunction)pipeline_ready, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef pipeline_members[] = {
    {"copying", T_BOOL, offsetof(Pipeline, copying), READONLY, NULL},
    {"status", T_UBYTE, offsetof(Pipeline, status), READONLY, NULL},
    {"surplus", T_ULONGLONG, offsetof(Pipeline, surplus), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef pipeline_getset[] = {
    {"idle", (getter)pipeline_idle, NULL, NULL, NULL},
    {"outstanding", (getter)pipeline_outstanding, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject PipelineType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "proxy.session._relay.Pipeline",
    .tp_basicsize = sizeof(Pipeline),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = pipeline_new,
    .tp_dealloc = (destructor)pipeline_dealloc,
    .tp_methods = pipeline_methods,
    .tp_members = pipeline_members,
    .tp_getset = pipeline_getset,
};

/* RelayCore */

/* Where one direction's bytes go: straight to the socket while nothing waits in front of them, else by `write`. */
typedef struct {
    PyObject *write;   /* the transport's write */
    PyObject *pending; /* gives the bytes that wait in the transport; NULL or None without a socket */
    int fd;            /* -1: only ever by `write` */
    char behind;       /* whether bytes may still wait in the transport */
} Sink;

typedef struct {
    PyObject_HEAD
    WalkState from_client;
    WalkState from_server;
    Pipeline *pipeline;
    Sink client;
    Sink server;
    PyObject *statements; /* dict: verb -> count */
    Py_buffer path;       /* unsigned 64-bit numbers; see the places above */
    uint64_t *numbers;
    Py_ssize_t last_bucket;
    char report_ready;
    char unobserved;
} Relay;

static uint64_t
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
count_chunk(Relay *self, int place, Py_ssize_t size, uint64_t started)
{
    uint64_t spent = now() - started;
    Py_ssize_t bucket = spent ? 64 - __builtin_clzll(spent) : 0;
    self->numbers[place] += (uint64_t)size;
    self->numbers[OWN_SHARE_SUM] += spent;
    self->numbers[OWN_SHARE + (bucket < self->last_bucket ? bucket : self->last_bucket)]++;
}

static int
call(Relay *self, const char *method, const char *format, const void *data, Py_ssize_t size)
{
    PyObject *result = PyObject_CallMethod((PyObject *)self, method, format, data, size);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int
stop_observing(Relay *self, const char *reason)
{
    return self->unobserved ? 0 : call(self, "_stop_observing", "s", reason, 0);
}

static int
client_found(void *context, unsigned char kind, const unsigned char *body, Py_ssize_t size)
{
    Relay *self = context;
    switch (kind) {
    case 'Q': case 'S': case 'F': case 'c': case 'f':
        return pipeline_sent_(self->pipeline, kind);
    default:
        return stop_observing(self, "unknown_frontend_message");
    }
}

static int
count_statement(Relay *self, const unsigned char *tag, Py_ssize_t size)
{
    const unsigned char *space = memchr(tag, ' ', size);
    PyObject *verb = PyBytes_FromStringAndSize((const char *)tag, space ? space - tag : size);
    if (!verb)
        return -1;
    int status = -1;
    PyObject *count = PyDict_GetItemWithError(self->statements, verb);
    if (count) {
        unsigned long long n = PyLong_AsUnsignedLongLong(count);
        PyObject *more = n == (unsigned long long)-1 && PyErr_Occurred() ? NULL : PyLong_FromUnsignedLongLong(n + 1);
        if (more) {
            status = PyDict_SetItem(self->statements, verb, more);
            Py_DECREF(more);
        }
    }
    else if (!PyErr_Occurred())
        status = call(self, "_new_verb", "y#", PyBytes_AS_STRING(verb), PyBytes_GET_SIZE(verb));
    Py_DECREF(verb);
    return status;
}

static int
server_found(void *context, unsigned char kind, const unsigned char *body, Py_ssize_t size)
{
    Relay *self = context;
    switch (kind) {
    case 'C':
        return count_statement(self, body, size);
    case 'Z':
        pipeline_ready_(self->pipeline, size ? body[0] : 0);
        return self->report_ready ? call(self, "_server_ready", NULL, NULL, 0) : 0;
    case 'E':
        self->pipeline->copying = 0;
        return call(self, "_server_error", "y#", body, size);
    case 'G':
        pipeline_copy_in_(self->pipeline);
        return 0;
    default:
        return stop_observing(self, "unknown_backend_message");
    }
}

/* Hands bytes on without a copy or a turn of the event loop where the socket takes them at once. Everything else, a
   full socket and every error included, is the transport's: it has the buffer, the limits and the close. */
static int
hand_on(Sink *sink, PyObject *data, const char *raw, Py_ssize_t size)
{
    PyObject *rest = NULL;
    if (sink->fd >= 0 && sink->behind) {
        PyObject *waiting = PyObject_CallNoArgs(sink->pending);
        if (!waiting)
            return -1;
        int some = PyObject_IsTrue(waiting);
        Py_DECREF(waiting);
        if (some < 0)
            return -1;
        sink->behind = (char)some;
    }
    if (sink->fd >= 0 && !sink->behind) {
        ssize_t sent = send(sink->fd, raw, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == size)
            return 0;
        sink->behind = 1;
        if (sent > 0) {
            rest = PyBytes_FromStringAndSize(raw + sent, size - sent);
            if (!rest)
                return -1;
        }
    }
    PyObject *write = Py_NewRef(sink->write);
    PyObject *written = PyObject_CallOneArg(write, rest ? rest : data);
    Py_DECREF(write);
    Py_XDECREF(rest);
    Py_XDECREF(written);
    return written ? 0 : -1;
}

static PyObject *
relay_chunk(Relay *self, PyObject *data, Sink *sink, WalkState *walk, WalkFound found, int place, const char *broken)
{
    char *raw;
    Py_ssize_t size;
    if (!sink->write || !self->pipeline) {
        PyErr_SetString(PyExc_RuntimeError, "the relay was fed without having been initialised");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(data, &raw, &size) < 0)
        return NULL;
    uint64_t started = now();
    if (hand_on(sink, data, raw, size) < 0)
        return NULL;
    if (walk_chunk(walk, (const unsigned char *)raw, size, found, self) < 0)
        return NULL;
    if (walk->broken && stop_observing(self, broken) < 0)
        return NULL;
    count_chunk(self, place, size, started);
    Py_RETURN_NONE;
}

static int
use_socket(Sink *sink, int fd, PyObject *pending)
{
    if (fd >= 0 && !PyCallable_Check(pending)) {
        PyErr_SetString(PyExc_TypeError, "a socket needs to be told what waits in front of it");
        return -1;
    }
    sink->fd = fd;
    sink->behind = 1;
    Py_XSETREF(sink->pending, Py_NewRef(pending));
    return 0;
}

static PyObject *
relay_use_client_socket(Relay *self, PyObject *args)
{
    int fd;
    PyObject *pending;
    if (!PyArg_ParseTuple(args, "iO", &fd, &pending) || use_socket(&self->client, fd, pending) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
relay_use_server_socket(Relay *self, PyObject *args)
{
    int fd;
    PyObject *pending;
    if (!PyArg_ParseTuple(args, "iO", &fd, &pending) || use_socket(&self->server, fd, pending) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
relay_from_client(Relay *self, PyObject *data)
{
    return relay_chunk(self, data, &self->server, &self->from_client, client_found, BYTES_FROM_CLIENT,
                       "invalid_frontend_length");
}

static PyObject *
relay_from_server(Relay *self, PyObject *data)
{
    return relay_chunk(self, data, &self->client, &self->from_server, server_found, BYTES_FROM_SERVER,
                       "invalid_backend_length");
}

static int
relay_init(Relay *self, PyObject *args, PyObject *kwargs)
{
    const unsigned char *client_types, *server_types, *server_bodies;
    Py_ssize_t n_client_types, n_server_types, n_server_bodies, cap;
    PyObject *statements, *path;
    if (self->pipeline) {
        PyErr_SetString(PyExc_RuntimeError, "a relay is initialised once");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "y#y#y#nO!O", &client_types, &n_client_types, &server_types, &n_server_types,
                          &server_bodies, &n_server_bodies, &cap, &PyDict_Type, &statements, &path))
        return -1;
    if (PyObject_GetBuffer(path, &self->path, PyBUF_WRITABLE) < 0)
        return -1;
    self->last_bucket = self->path.len / 8 - OWN_SHARE - 1;
    if (self->last_bucket < 0 || (uintptr_t)self->path.buf % 8) {
        PyErr_SetString(PyExc_ValueError, "path is too short or not aligned");
        return -1;
    }
    self->numbers = self->path.buf;
    walk_want(&self->from_client, client_types, n_client_types, WALK_TYPE);
    walk_want(&self->from_server, server_types, n_server_types, WALK_TYPE);
    walk_want(&self->from_server, server_bodies, n_server_bodies, WALK_BODY);
    self->from_server.cap = cap;
    self->statements = Py_NewRef(statements);
    self->client = (Sink){Py_NewRef(Py_None), NULL, -1, 0};
    self->server = (Sink){Py_NewRef(Py_None), NULL, -1, 0};
    self->pipeline = (Pipeline *)PyObject_CallNoArgs((PyObject *)&PipelineType);
    return self->pipeline ? 0 : -1;
}

static int
relay_traverse(Relay *self, visitproc visit, void *arg)
{
    Py_VISIT(self->pipeline);
    Py_VISIT(self->client.write);
    Py_VISIT(self->client.pending);
    Py_VISIT(self->server.write);
    Py_VISIT(self->server.pending);
    Py_VISIT(self->statements);
    return 0;
}

static int
relay_clear(Relay *self)
{
    self->client.fd = self->server.fd = -1;
    Py_CLEAR(self->client.write);
    Py_CLEAR(self->client.pending);
    Py_CLEAR(self->server.write);
    Py_CLEAR(self->server.pending);
    return 0;
}

static void
relay_dealloc(Relay *self)
{
    PyObject_GC_UnTrack(self);
    relay_clear(self);
    Py_CLEAR(self->pipeline);
    Py_CLEAR(self->statements);
    if (self->path.obj)
        PyBuffer_Release(&self->path);
    walk_free(&self->from_client);
    walk_free(&self->from_server);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
relay_idle(Relay *self, void *closure)
{
    return PyBool_FromLong(self->pipeline && pipeline_idle_(self->pipeline) && !self->unobserved && walk_whole(&self->from_client));
}

static PyObject *
relay_untouched(Relay *self, void *closure)
{
    return PyBool_FromLong(walk_whole(&self->from_client) && !self->from_client.messages);
}

static PyObject *
relay_reply_at_boundary(Relay *self, void *closure)
{
    return PyBool_FromLong(walk_whole(&self->from_server));
}

static PyMethodDef relay_methods[] = {
    {"from_client", (PyCFunction)relay_from_client, METH_O, "Bytes of the client, in the order they came."},
    {"from_server", (PyCFunction)relay_from_server, METH_O, "Bytes of the server, in the order they came."},
    {"use_client_socket", (PyCFunction)relay_use_client_socket, METH_VARARGS, NULL},
    {"use_server_socket", (PyCFunction)relay_use_server_socket, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef relay_members[] = {
    {"pipeline", T_OBJECT_EX, offsetof(Relay, pipeline), READONLY, NULL},
    {"to_client", T_OBJECT_EX, offsetof(Relay, client.write), 0, NULL},
    {"to_server", T_OBJECT_EX, offsetof(Relay, server.write), 0, NULL},
    {"report_ready", T_BOOL, offsetof(Relay, report_ready), 0, NULL},
    {"unobserved", T_BOOL, offsetof(Relay, unobserved), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef relay_getset[] = {
    {"idle", (getter)relay_idle, NULL, NULL, NULL},
    {"untouched", (getter)relay_untouched, NULL, NULL, NULL},
    {"reply_at_boundary", (getter)relay_reply_at_boundary, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject RelayType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "proxy.session._relay.RelayCore",
    .tp_basicsize = sizeof(Relay),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)relay_init,
    .tp_dealloc = (destructor)relay_dealloc,
    .tp_traverse = (traverseproc)relay_traverse,
    .tp_clear = (inquiry)relay_clear,
    .tp_methods = relay_methods,
    .tp_members = relay_members,
    .tp_getset = relay_getset,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "proxy.session._relay",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__relay(void)
{
    if (PyType_Ready(&PipelineType) < 0 || PyType_Ready(&RelayType) < 0)
        return NULL;
    PyObject *created = PyModule_Create(&module);
    if (!created)
        return NULL;
    if (PyModule_AddObjectRef(created, "Pipeline", (PyObject *)&PipelineType) < 0 ||
        PyModule_AddObjectRef(created, "RelayCore", (PyObject *)&RelayType) < 0) {
        Py_DECREF(created);
        return NULL;
    }
    return created;
}
