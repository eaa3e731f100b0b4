/* Rows as `record_send` writes them to BSON, without a Python object for each value; see encoding.py.

   What is out of the ordinary in any way (a header, a length, a value that needs a flag or has no exact form) is not
   judged here: None stands for such a row, and the codecs say what becomes of it. Nothing is read past the end of a
   record, whatever its lengths claim. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

#define HEADER_FIELDS 7 /* of proxy/documents/records.py */
#define MAX_FIELDS 1664 /* columns that a row of PostgreSQL can have */
#define MAX_BODY 0x40000000u

#define EPOCH_MS 946684800000LL /* 2000-01-01 UTC */
#define DAY_MS 86400000LL
#define DAY_US 86400000000LL

#define DOUBLE 0x01
#define STRING 0x02
#define DOCUMENT 0x03
#define BINARY 0x05
#define BOOLEAN 0x08
#define DATE 0x09
#define NOTHING 0x0A
#define INT32 0x10
#define INT64 0x12
#define DECIMAL 0x13

typedef unsigned __int128 Wide;

/* Outcomes of a step. */
#define FAILED -1 /* with an exception */
#define DONE 0
#define STRANGE 1 /* the codecs are to say */

enum kind { BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, TEXT, PADDED, BYTEA, UUID, DAY, TIME, MOMENT, EXACT_MOMENT, CALL };

static const char *const kinds[] = {
    "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "padded", "bytea", "uuid", "date", "time",
    "timestamp", "timestamp3", "call", NULL,
};
#define IS_KEY_KIND(kind) \
    ((kind) == BOOL || (kind) == INT2 || (kind) == INT4 || (kind) == INT8 || (kind) == TEXT || (kind) == PADDED || \
     (kind) == BYTEA || (kind) == UUID || (kind) == CALL)

static Wide powers[35];
#define LIMIT (powers[34]) /* of a coefficient */

/* Bytes */

typedef struct {
    unsigned char *data; /* owned */
    size_t size;
    size_t room;
} Bytes;

static int
reserve(Bytes *bytes, size_t more)
{
    if (more > MAX_BODY || bytes->size > MAX_BODY - more)
        return STRANGE;
    size_t wanted = bytes->size + more;
    if (wanted <= bytes->room)
        return DONE;
    size_t room = bytes->room ? bytes->room : 1024;
    while (room < wanted)
        room *= 2;
    unsigned char *grown = PyMem_Realloc(bytes->data, room);
    if (!grown) {
        PyErr_NoMemory();
        return FAILED;
    }
    bytes->data = grown;
    bytes->room = room;
    return DONE;
}

/* The following want the room to be there. */

static void
put(Bytes *bytes, const void *data, size_t size)
{
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void
put_byte(Bytes *bytes, unsigned char value)
{
    bytes->data[bytes->size++] = value;
}

static void
store32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static void
put32(Bytes *bytes, uint32_t value)
{
    store32(bytes->data + bytes->size, value);
    bytes->size += 4;
}

static void
put64(Bytes *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes->data[bytes->size++] = (unsigned char)(value >> 8 * i);
}

static uint32_t
big16(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t
big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t
big64(const unsigned char *at)
{
    return (uint64_t)big32(at) << 32 | big32(at + 4);
}

/* Whether Python's strict decoder takes it. */
static int
is_utf8(const unsigned char *at, size_t size)
{
    const unsigned char *end = at + size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8) {
            memcpy(&eight, at, 8);
            if (!(eight & 0x8080808080808080u)) {
                at += 8;
                continue;
            }
        }
        unsigned char first = *at;
        if (first < 0x80) {
            at++;
            continue;
        }
        size_t length;
        unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
        if (first >= 0xC2 && first <= 0xDF)
            length = 2;
        else if (first >= 0xE0 && first <= 0xEF) {
            length = 3;
            if (first == 0xE0)
                low = 0xA0;
            else if (first == 0xED)
                high = 0x9F;
        }
        else if (first >= 0xF0 && first <= 0xF4) {
            length = 4;
            if (first == 0xF0)
                low = 0x90;
            else if (first == 0xF4)
                high = 0x8F;
        }
        else
            return 0;
        if ((size_t)(end - at) < length || at[1] < low || at[1] > high)
            return 0;
        for (size_t i = 2; i < length; i++)
            if ((at[i] & 0xC0) != 0x80)
                return 0;
        at += length;
    }
    return 1;
}

/* RowEncoder */

typedef struct {
    char *name; /* owned; with its zero */
    size_t name_size;
    Py_ssize_t position;
    enum kind kind;
    PyObject *call; /* owned; NULL where there is none */
} Column;

typedef struct {
    const unsigned char *at;
    int32_t size; /* -1: NULL */
} Value;

typedef struct {
    PyObject_HEAD
    Py_ssize_t fields;
    uint32_t *oids;
    Value *values; /* of the row under way, pointing into its record */
    Py_ssize_t n_key;
    Column *key;
    Py_ssize_t n_columns;
    Column *columns;
    PyObject *mark; /* bytes: the elements that lead in `_cw` */
    PyObject *make;
    Bytes body;
    Bytes timed; /* elements of `_cw.us`: of every single timestamp */
    Bytes more;  /* what else has microseconds */
    Bytes flags;
    char composite;
    char busy;
} Encoder;

/* Fills `values` from a row that was read again: its table before it, then NULLs. */
static int
take_apart(Encoder *self, const unsigned char *at, Py_ssize_t size)
{
    const unsigned char *end = at + size;
    if (size < 4 + 12 + 8 * (HEADER_FIELDS - 1) || big32(at) != (uint32_t)(HEADER_FIELDS + self->fields) || big32(at + 8) != 4)
        return STRANGE;
    at += 4 + 12;
    for (int i = 1; i < HEADER_FIELDS; i++, at += 8)
        if (big32(at + 4) != 0xFFFFFFFFu)
            return STRANGE;
    for (Py_ssize_t i = 0; i < self->fields; i++) {
        if (end - at < 8 || big32(at) != self->oids[i])
            return STRANGE;
        int32_t length = (int32_t)big32(at + 4);
        at += 8;
        if (length < 0) {
            self->values[i] = (Value){NULL, -1};
            continue;
        }
        if (end - at < length)
            return STRANGE;
        self->values[i] = (Value){at, length};
        at += length;
    }
    return at == end ? DONE : STRANGE;
}

static void
put_name(Bytes *to, unsigned char type, const Column *column)
{
    put_byte(to, type);
    put(to, column->name, column->name_size);
}

static int
put_numeric(Bytes *to, const Column *column, Value value)
{
    if (value.size < 8)
        return STRANGE;
    uint32_t count = big16(value.at), sign = big16(value.at + 4), scale = big16(value.at + 6);
    int32_t weight = (int16_t)big16(value.at + 2);
    if (count > 9 || value.size != (int32_t)(8 + 2 * count) || (sign != 0 && sign != 0x4000) || scale > 6176)
        return STRANGE;
    Wide coefficient = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t digit = big16(value.at + 8 + 2 * i);
        if (digit > 9999)
            return STRANGE;
        coefficient = coefficient * 10000 + digit; /* below 10**36 */
    }
    int32_t shift = (weight - (int32_t)count + 1) * 4 + (int32_t)scale;
    if (shift < -34 || shift > 34)
        return STRANGE;
    if (shift < 0)
        coefficient /= powers[-shift];
    else {
        if (coefficient > (LIMIT - 1) / powers[shift])
            return STRANGE;
        coefficient *= powers[shift];
    }
    if (coefficient >= LIMIT)
        return STRANGE;
    uint64_t high = (uint64_t)(6176 - (int32_t)scale) << 49 | (uint64_t)(coefficient >> 64);
    if (sign)
        high |= (uint64_t)1 << 63;
    put_name(to, DECIMAL, column);
    put64(to, (uint64_t)coefficient);
    put64(to, high);
    return DONE;
}

static int
put_string(Bytes *to, const Column *column, const unsigned char *at, size_t size)
{
    if (!is_utf8(at, size))
        return STRANGE;
    put_name(to, STRING, column);
    put32(to, (uint32_t)size + 1);
    put(to, at, size);
    put_byte(to, 0);
    return DONE;
}

static size_t
unpadded(Value value)
{
    size_t size = (size_t)value.size;
    while (size && value.at[size - 1] == ' ')
        size--;
    return size;
}

static void
put_binary(Bytes *to, const Column *column, Value value, unsigned char subtype)
{
    put_name(to, BINARY, column);
    put32(to, (uint32_t)value.size);
    put_byte(to, subtype);
    put(to, value.at, (size_t)value.size);
}

static void
put_real(Bytes *to, const Column *column, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, 8);
    put_name(to, DOUBLE, column);
    put64(to, bits);
}

static int
put_clock(Bytes *to, const Column *column, int64_t us)
{
    if (us < 0 || us > DAY_US)
        return STRANGE;
    unsigned char text[15];
    unsigned parts[3] = {(unsigned)(us / 3600000000LL), (unsigned)(us / 60000000 % 60), (unsigned)(us / 1000000 % 60)};
    unsigned fraction = (unsigned)(us % 1000000);
    for (int i = 0; i < 3; i++) {
        text[3 * i] = (unsigned char)('0' + parts[i] / 10);
        text[3 * i + 1] = (unsigned char)('0' + parts[i] % 10);
        text[3 * i + 2] = i < 2 ? ':' : '.';
    }
    for (int i = 14; i > 8; i--, fraction /= 10)
        text[i] = (unsigned char)('0' + fraction % 10);
    return put_string(to, column, text, sizeof text);
}

static int
put_moment(Encoder *self, Bytes *to, const Column *column, int64_t us)
{
    if (us == INT64_MAX || us == INT64_MIN)
        return STRANGE; /* infinity */
    int64_t ms = us / 1000, rest = us % 1000;
    if (rest < 0) {
        rest += 1000;
        ms--;
    }
    put_name(to, DATE, column);
    put64(to, (uint64_t)(ms + EPOCH_MS));
    if (column->kind == MOMENT) {
        int status = reserve(&self->timed, column->name_size + 5);
        if (status)
            return status;
        put_name(&self->timed, INT32, column);
        put32(&self->timed, (uint32_t)rest);
    }
    return DONE;
}

/* Adds the element, if it is not None. */
static int
put_element(Bytes *to, PyObject *element)
{
    if (element == Py_None)
        return DONE;
    if (!PyBytes_Check(element)) {
        PyErr_SetString(PyExc_TypeError, "an element is bytes or None");
        return FAILED;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(element);
    int status = reserve(to, size);
    if (!status)
        put(to, PyBytes_AS_STRING(element), size);
    return status;
}

/* What the column's callable says of a value: a tuple of three, or NULL with the outcome in `status`. */
static PyObject *
ask(const Column *column, Value value, int *status)
{
    *status = FAILED;
    PyObject *raw = PyBytes_FromStringAndSize((const char *)value.at, value.size);
    if (!raw)
        return NULL;
    PyObject *answer = PyObject_CallOneArg(column->call, raw);
    Py_DECREF(raw);
    if (!answer)
        return NULL;
    if (PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == 3) {
        *status = DONE;
        return answer;
    }
    if (answer == Py_None)
        *status = STRANGE;
    else
        PyErr_SetString(PyExc_TypeError, "a codec's callable answers with three parts or None");
    Py_DECREF(answer);
    return NULL;
}

static int
put_asked(Encoder *self, Bytes *to, const Column *column, Value value)
{
    int status;
    PyObject *answer = ask(column, value, &status);
    if (!answer)
        return status;
    status = put_element(to, PyTuple_GET_ITEM(answer, 0));
    if (!status)
        status = put_element(&self->more, PyTuple_GET_ITEM(answer, 1));
    if (!status)
        status = put_element(&self->flags, PyTuple_GET_ITEM(answer, 2));
    Py_DECREF(answer);
    return status;
}

static int
put_value(Encoder *self, Bytes *to, const Column *column)
{
    Value value = self->values[column->position];
    /* Enough for any kind but CALL, which sees to its own. */
    int status = reserve(to, column->name_size + 32 + (value.size > 0 ? (size_t)value.size : 0));
    if (status)
        return status;
    if (value.size < 0) {
        put_name(to, NOTHING, column);
        if (column->kind == MOMENT) {
            status = reserve(&self->timed, column->name_size + 5);
            if (status)
                return status;
            put_name(&self->timed, INT32, column);
            put32(&self->timed, 0);
        }
        return DONE;
    }
    switch (column->kind) {
    case BOOL:
        if (value.size != 1)
            return STRANGE;
        put_name(to, BOOLEAN, column);
        put_byte(to, value.at[0] != 0);
        return DONE;
    case INT2:
        if (value.size != 2)
            return STRANGE;
        put_name(to, INT32, column);
        put32(to, (uint32_t)(int32_t)(int16_t)big16(value.at));
        return DONE;
    case INT4:
        if (value.size != 4)
            return STRANGE;
        put_name(to, INT32, column);
        put32(to, big32(value.at));
        return DONE;
    case INT8:
        if (value.size != 8)
            return STRANGE;
        put_name(to, INT64, column);
        put64(to, big64(value.at));
        return DONE;
    case FLOAT4: {
        if (value.size != 4)
            return STRANGE;
        uint32_t bits = big32(value.at);
        float number;
        if ((bits & 0x7F800000u) == 0x7F800000u)
            return STRANGE; /* not finite */
        memcpy(&number, &bits, 4);
        put_real(to, column, (double)number);
        return DONE;
    }
    case FLOAT8: {
        if (value.size != 8)
            return STRANGE;
        uint64_t bits = big64(value.at);
        double number;
        if ((bits & 0x7FF0000000000000u) == 0x7FF0000000000000u)
            return STRANGE;
        memcpy(&number, &bits, 8);
        put_real(to, column, number);
        return DONE;
    }
    case NUMERIC:
        return put_numeric(to, column, value);
    case TEXT:
        return put_string(to, column, value.at, (size_t)value.size);
    case PADDED: /* the bytes behind the spaces are checked with the rest: a space ends no other character */
        return put_string(to, column, value.at, unpadded(value));
    case BYTEA:
        put_binary(to, column, value, 0);
        return DONE;
    case UUID:
        if (value.size != 16)
            return STRANGE;
        put_binary(to, column, value, 4);
        return DONE;
    case DAY: {
        int32_t days;
        if (value.size != 4)
            return STRANGE;
        days = (int32_t)big32(value.at);
        if (days == INT32_MAX || days == INT32_MIN)
            return STRANGE;
        put_name(to, DATE, column);
        put64(to, (uint64_t)(days * DAY_MS + EPOCH_MS));
        return DONE;
    }
    case TIME:
        return value.size == 8 ? put_clock(to, column, (int64_t)big64(value.at)) : STRANGE;
    case MOMENT:
    case EXACT_MOMENT:
        return value.size == 8 ? put_moment(self, to, column, (int64_t)big64(value.at)) : STRANGE;
    case CALL:
        return put_asked(self, to, column, value);
    }
    return STRANGE;
}

/* The value of a part of the key as Python has it; it has been found good by `put_value`. */
static PyObject *
key_value(const Column *column, Value value)
{
    PyObject *made = NULL;
    const char *text = (const char *)value.at;
    switch (column->kind) {
    case BOOL:
        made = PyBool_FromLong(value.at[0] != 0);
        break;
    case INT2:
        made = PyLong_FromLong((int16_t)big16(value.at));
        break;
    case INT4:
        made = PyLong_FromLong((int32_t)big32(value.at));
        break;
    case INT8:
        made = PyLong_FromLongLong((int64_t)big64(value.at));
        break;
    case TEXT:
        made = PyUnicode_DecodeUTF8(text, value.size, "strict");
        break;
    case PADDED:
        made = PyUnicode_DecodeUTF8(text, (Py_ssize_t)unpadded(value), "strict");
        break;
    default:
        made = PyBytes_FromStringAndSize(text, value.size);
        break;
    }
    if (made && column->call) {
        PyObject *wrapped = PyObject_CallOneArg(column->call, made);
        Py_DECREF(made);
        made = wrapped;
    }
    return made;
}

/* Adds a part of the key to `to`, what must be kept beside it to `extra`; its value in `*made`. */
static int
put_key(Encoder *self, Bytes *to, const Column *column, Bytes *extra, PyObject **made)
{
    Value value = self->values[column->position];
    int status;
    if (value.size < 0)
        return STRANGE;
    if (column->kind != CALL) {
        status = put_value(self, to, column);
        if (status)
            return status;
        *made = key_value(column, value);
        return *made ? DONE : FAILED;
    }
    PyObject *answer = ask(column, value, &status);
    if (!answer)
        return status;
    status = put_element(to, PyTuple_GET_ITEM(answer, 0));
    if (!status)
        status = put_element(extra, PyTuple_GET_ITEM(answer, 2));
    if (!status)
        *made = Py_NewRef(PyTuple_GET_ITEM(answer, 1));
    Py_DECREF(answer);
    return status;
}

/* The `_id` of the row: a value, or a dict of those of its parts. */
static int
put_id(Encoder *self, Bytes *to, Bytes *extra, PyObject **id)
{
    if (!self->composite)
        return put_key(self, to, &self->key[0], extra, id);
    int status = reserve(to, 16);
    if (status)
        return status;
    put(to, "\3_id", 5);
    size_t start = to->size;
    put32(to, 0);
    PyObject *parts = PyDict_New();
    if (!parts)
        return FAILED;
    for (Py_ssize_t i = 0; i < self->n_key && !status; i++) {
        PyObject *value = NULL;
        status = put_key(self, to, &self->key[i], extra, &value);
        if (!status && PyDict_SetItemString(parts, self->key[i].name, value) < 0)
            status = FAILED;
        Py_XDECREF(value);
    }
    if (!status)
        status = reserve(to, 1);
    if (status) {
        Py_DECREF(parts);
        return status;
    }
    put_byte(to, 0);
    store32(to->data + start, (uint32_t)(to->size - start));
    *id = parts;
    return DONE;
}

/* A sub-document `name` of elements, unless there are none. */
static int
put_beside(Bytes *to, const char *name, const Bytes *first, const Bytes *second)
{
    size_t size = first->size + (second ? second->size : 0), name_size = strlen(name) + 1;
    if (!size)
        return DONE;
    int status = reserve(to, 1 + name_size + 4 + size + 1);
    if (status)
        return status;
    put_byte(to, DOCUMENT);
    put(to, name, name_size);
    put32(to, (uint32_t)(4 + size + 1));
    put(to, first->data, first->size);
    if (second)
        put(to, second->data, second->size);
    put_byte(to, 0);
    return DONE;
}

static int
put_body(Encoder *self, Bytes *rest, PyObject **id)
{
    Bytes *body = &self->body;
    body->size = self->timed.size = self->more.size = self->flags.size = 0;
    int status = reserve(body, 4);
    if (status)
        return status;
    put32(body, 0);
    status = put_id(self, body, rest, id);
    for (Py_ssize_t i = 0; i < self->n_columns && !status; i++)
        status = put_value(self, body, &self->columns[i]);
    size_t mark_size = (size_t)PyBytes_GET_SIZE(self->mark);
    if (!status)
        status = reserve(body, 16 + mark_size + rest->size);
    if (status)
        return status;
    put(body, "\3_cw", 5);
    size_t start = body->size;
    put32(body, 0);
    put(body, PyBytes_AS_STRING(self->mark), mark_size);
    put(body, rest->data, rest->size);
    status = put_beside(body, "us", &self->timed, &self->more);
    if (!status)
        status = put_beside(body, "flags", &self->flags, NULL);
    if (!status)
        status = reserve(body, 2);
    if (status)
        return status;
    put_byte(body, 0);
    store32(body->data + start, (uint32_t)(body->size - start));
    put_byte(body, 0);
    store32(body->data, (uint32_t)body->size);
    return DONE;
}

/* What is made of one record: a new reference, None where the codecs are to say, NULL with an exception. */
static PyObject *
encode_one(Encoder *self, PyObject *record)
{
    if (!PyBytes_Check(record)) {
        PyErr_SetString(PyExc_TypeError, "a record is bytes");
        return NULL;
    }
    int status = take_apart(self, (const unsigned char *)PyBytes_AS_STRING(record), PyBytes_GET_SIZE(record));
    if (status)
        return Py_NewRef(Py_None);
    Bytes rest = {NULL, 0, 0};
    PyObject *id = NULL, *made = NULL;
    status = put_body(self, &rest, &id);
    PyMem_Free(rest.data);
    if (status == DONE) {
        PyObject *raw = PyBytes_FromStringAndSize((const char *)self->body.data, (Py_ssize_t)self->body.size);
        if (raw) {
            PyObject *arguments[] = {id, raw};
            made = PyObject_Vectorcall(self->make, arguments, 2, NULL);
            Py_DECREF(raw);
        }
    }
    else if (status == STRANGE)
        made = Py_NewRef(Py_None);
    Py_XDECREF(id);
    return made;
}

static PyObject *
encoder_encode(Encoder *self, PyObject *records)
{
    if (!self->make || self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the encoder is not initialised, or in use");
        return NULL;
    }
    if (!PyList_Check(records)) {
        PyErr_SetString(PyExc_TypeError, "records come in a list");
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(records);
    PyObject *found = PyList_New(count);
    if (!found)
        return NULL;
    self->busy = 1;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *made = NULL;
        if (i < PyList_GET_SIZE(records)) { /* a callable may have done anything */
            PyObject *record = Py_NewRef(PyList_GET_ITEM(records, i));
            made = encode_one(self, record);
            Py_DECREF(record);
        }
        else
            PyErr_SetString(PyExc_RuntimeError, "the records have changed meanwhile");
        if (!made) {
            Py_CLEAR(found);
            break;
        }
        PyList_SET_ITEM(found, i, made);
    }
    self->busy = 0;
    return found;
}

static int
read_column(Encoder *self, Column *column, PyObject *given, int key)
{
    const char *name, *kind;
    Py_ssize_t name_size, position;
    PyObject *call;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a column is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(given, "s#nsO", &name, &name_size, &position, &kind, &call))
        return -1;
    int number = 0;
    while (kinds[number] && strcmp(kinds[number], kind))
        number++;
    if (!kinds[number] || (key && !IS_KEY_KIND(number))) {
        PyErr_Format(PyExc_ValueError, "%s is no kind of value here", kind);
        return -1;
    }
    if (position < 0 || position >= self->fields || strlen(name) != (size_t)name_size) {
        PyErr_SetString(PyExc_ValueError, "a column is not in the row, or its name has a zero");
        return -1;
    }
    if (call != Py_None ? !PyCallable_Check(call) : number == CALL) {
        PyErr_SetString(PyExc_TypeError, "a column's codec cannot be called");
        return -1;
    }
    column->name = PyMem_Malloc((size_t)name_size + 1);
    if (!column->name) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(column->name, name, (size_t)name_size + 1);
    column->name_size = (size_t)name_size + 1;
    column->position = position;
    column->kind = (enum kind)number;
    column->call = call == Py_None ? NULL : Py_NewRef(call);
    return 0;
}

static Column *
read_columns(Encoder *self, PyObject *given, Py_ssize_t *count, int key)
{
    Py_ssize_t wanted = PyTuple_GET_SIZE(given);
    Column *columns = PyMem_Calloc((size_t)wanted + 1, sizeof(Column));
    if (!columns) {
        PyErr_NoMemory();
        return NULL;
    }
    for (*count = 0; *count < wanted; ++*count)
        if (read_column(self, &columns[*count], PyTuple_GET_ITEM(given, *count), key) < 0)
            break;
    return columns; /* with those that were read, also after an error */
}

static int
encoder_init(Encoder *self, PyObject *args, PyObject *kwargs)
{
    PyObject *oids, *key, *columns, *mark, *make;
    int composite;
    if (self->oids || (kwargs && PyDict_GET_SIZE(kwargs))) {
        PyErr_SetString(PyExc_RuntimeError, "an encoder is initialised once, and takes no keywords");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "O!O!pO!SO", &PyTuple_Type, &oids, &PyTuple_Type, &key, &composite, &PyTuple_Type,
                          &columns, &mark, &make))
        return -1;
    if (PyTuple_GET_SIZE(oids) > MAX_FIELDS || !PyTuple_GET_SIZE(key) || (!composite && PyTuple_GET_SIZE(key) != 1)) {
        PyErr_SetString(PyExc_ValueError, "too many fields, or not the key of a row");
        return -1;
    }
    self->fields = PyTuple_GET_SIZE(oids);
    self->oids = PyMem_Calloc((size_t)self->fields + 1, sizeof *self->oids);
    self->values = PyMem_Calloc((size_t)self->fields + 1, sizeof *self->values);
    if (!self->oids || !self->values) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->fields; i++) {
        unsigned long oid = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(oids, i));
        if (oid == (unsigned long)-1 && PyErr_Occurred())
            return -1;
        self->oids[i] = (uint32_t)oid;
    }
    self->composite = (char)composite;
    self->key = read_columns(self, key, &self->n_key, 1);
    if (!self->key || PyErr_Occurred())
        return -1;
    self->columns = read_columns(self, columns, &self->n_columns, 0);
    if (!self->columns || PyErr_Occurred())
        return -1;
    self->mark = Py_NewRef(mark);
    self->make = Py_NewRef(make); /* last: with it the encoder is whole */
    return 0;
}

static int
encoder_traverse(Encoder *self, visitproc visit, void *arg)
{
    Py_VISIT(self->make);
    for (Py_ssize_t i = 0; i < self->n_key; i++)
        Py_VISIT(self->key[i].call);
    for (Py_ssize_t i = 0; i < self->n_columns; i++)
        Py_VISIT(self->columns[i].call);
    return 0;
}

static int
encoder_clear(Encoder *self)
{
    Py_CLEAR(self->make); /* nothing is encoded any more */
    for (Py_ssize_t i = 0; i < self->n_key; i++)
        Py_CLEAR(self->key[i].call);
    for (Py_ssize_t i = 0; i < self->n_columns; i++)
        Py_CLEAR(self->columns[i].call);
    return 0;
}

static void
free_columns(Column *columns, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        PyMem_Free(columns[i].name);
    PyMem_Free(columns);
}

static void
encoder_dealloc(Encoder *self)
{
    PyObject_GC_UnTrack(self);
    encoder_clear(self);
    Py_CLEAR(self->mark);
    free_columns(self->key, self->n_key);
    free_columns(self->columns, self->n_columns);
    PyMem_Free(self->oids);
    PyMem_Free(self->values);
    PyMem_Free(self->body.data);
    PyMem_Free(self->timed.data);
    PyMem_Free(self->more.data);
    PyMem_Free(self->flags.data);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef encoder_methods[] = {
    {"encode", (PyCFunction)encoder_encode, METH_O, "What `make` gives for each record; None where the codecs are to say."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject EncoderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "proxy.documents._rows.RowEncoder",
    .tp_basicsize = sizeof(Encoder),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)encoder_init,
    .tp_dealloc = (destructor)encoder_dealloc,
    .tp_traverse = (traverseproc)encoder_traverse,
    .tp_clear = (inquiry)encoder_clear,
    .tp_methods = encoder_methods,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "proxy.documents._rows",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__rows(void)
{
    powers[0] = 1;
    for (int i = 1; i < 35; i++)
        powers[i] = powers[i - 1] * 10;
    if (PyType_Ready(&EncoderType) < 0)
        return NULL;
    PyObject *created = PyModule_Create(&module);
    if (!created)
        return NULL;
    if (PyModule_AddObjectRef(created, "RowEncoder", (PyObject *)&EncoderType) < 0) {
        Py_DECREF(created);
        return NULL;
    }
    return created;
}
