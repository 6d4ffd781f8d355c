/* The bytes of a batch, as `chain_plainly` of chain.py makes them; line.py says what a line is.
 *
 * Two rounds. The first copies what is known, with gaps for `prev` and `crc`: it needs Python's objects, and so its lock. The second
 * fills the gaps from line to line and hashes; while it does, the event loop runs.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <limits.h>

#include <libdeflate.h>
#include <openssl/evp.h>

enum { LEAF_BYTES = 32, LEAF_DIGITS = 2 * LEAF_BYTES, CRC_DIGITS = 8, NUMBER_DIGITS = 20 };

/* Where a line lies in the memory: its beginning, its gap for `prev`, the end of what `crc` covers, its LF. */
typedef struct {
    size_t begin, prev, covered, end;
} Place;

/* What was written so far, in a bytearray that grows. */
typedef struct {
    PyObject *memory;
    char *bytes;
    size_t size, room;
} Batch;

static EVP_MD *sha256;

static int make_room(Batch *batch, size_t more)
{
    if (batch->room - batch->size >= more) {
        return 0;
    }
    size_t room = 2 * (batch->size + more);
    if (PyByteArray_Resize(batch->memory, (Py_ssize_t)room) < 0) {
        return -1;
    }
    batch->bytes = PyByteArray_AS_STRING(batch->memory);
    batch->room = room;
    return 0;
}

static int add(Batch *batch, const char *bytes, size_t size)
{
    if (make_room(batch, size) < 0) {
        return -1;
    }
    memcpy(batch->bytes + batch->size, bytes, size);
    batch->size += size;
    return 0;
}

#define ADD(batch, literal) add(batch, literal, sizeof(literal) - 1)

static int add_text(Batch *batch, PyObject *text)
{
    if (PyUnicode_Check(text) && PyUnicode_IS_READY(text) && PyUnicode_IS_ASCII(text)) {
        return add(batch, PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
    }
    PyObject *bytes = PyUnicode_AsASCIIString(text); /* raises what str.encode("ascii") raises, or TypeError */
    if (bytes == NULL) {
        return -1;
    }
    int done = add(batch, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return done;
}

static int add_record(Batch *batch, PyObject *record)
{
    if (!PyList_Check(record)) {
        return add_text(batch, record);
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(record); i++) {
        if (add_text(batch, PyList_GET_ITEM(record, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_gap(Batch *batch, size_t size)
{
    if (make_room(batch, size) < 0) {
        return -1;
    }
    batch->size += size;
    return 0;
}

static int add_line(Batch *batch, Place *place, PyObject *stream, unsigned long long n, PyObject *entry)
{
    char number[NUMBER_DIGITS + 1];
    int digits = PyOS_snprintf(number, sizeof number, "%llu", n);

    if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) != 2) {
        PyErr_SetString(PyExc_TypeError, "an entry is a tuple: its time, and its record");
        return -1;
    }
    place->begin = batch->size;
    if (ADD(batch, "{\"v\":1,\"stream\":\"") < 0 || add_text(batch, stream) < 0 || ADD(batch, "\",\"n\":") < 0 ||
        add(batch, number, (size_t)digits) < 0 || ADD(batch, ",\"prev\":\"") < 0) {
        return -1;
    }
    place->prev = batch->size;
    if (add_gap(batch, LEAF_DIGITS) < 0 || ADD(batch, "\",\"time\":\"") < 0 ||
        add_text(batch, PyTuple_GET_ITEM(entry, 0)) < 0 || ADD(batch, "\",") < 0 ||
        add_record(batch, PyTuple_GET_ITEM(entry, 1)) < 0) {
        return -1;
    }
    place->covered = batch->size;
    if (ADD(batch, ",\"crc\":\"") < 0 || add_gap(batch, CRC_DIGITS) < 0 || ADD(batch, "\"}") < 0) {
        return -1;
    }
    place->end = batch->size;
    return ADD(batch, "\n");
}

static void put_hex(char *to, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* Fills the gaps; `prev` is the leaf before the first line, and then that of the last. Needs no lock. Gives 0 when OpenSSL refuses, or
 * has no memory. */
static int bind(char *bytes, const Place *places, Py_ssize_t count, char *prev)
{
    static const size_t before_crc = sizeof(",\"crc\":\"") - 1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int bound = context != NULL;

    for (const Place *place = places; bound && place < places + count; place++) {
        unsigned char leaf[LEAF_BYTES], crc[CRC_DIGITS / 2];
        char *line = bytes + place->begin;

        memcpy(bytes + place->prev, prev, LEAF_DIGITS);
        uint32_t sum = libdeflate_crc32(0, line, place->covered - place->begin);
        for (int i = 0; i < CRC_DIGITS / 2; i++) {
            crc[i] = (unsigned char)(sum >> (24 - 8 * i));
        }
        put_hex(bytes + place->covered + before_crc, crc, sizeof crc);
        bound = EVP_DigestInit_ex2(context, sha256, NULL) && EVP_DigestUpdate(context, "\0", 1) &&
                EVP_DigestUpdate(context, line, place->end - place->begin) && EVP_DigestFinal_ex(context, leaf, NULL);
        if (bound) {
            put_hex(prev, leaf, sizeof leaf);
        }
    }
    EVP_MD_CTX_free(context);
    return bound;
}

static PyObject *chain(PyObject *module, PyObject *args)
{
    PyObject *stream, *number, *given, *entries, *memory;
    unsigned long long n;
    Py_ssize_t prev_length;
    const char *first;
    char prev[LEAF_DIGITS];
    (void)module;

    if (!PyArg_ParseTuple(args, "UOUOO!", &stream, &number, &given, &entries, &PyByteArray_Type, &memory)) {
        return NULL;
    }
    n = PyLong_AsUnsignedLongLong(number);
    if (n == (unsigned long long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    first = PyUnicode_AsUTF8AndSize(given, &prev_length);
    if (first == NULL) {
        return NULL;
    }
    if (prev_length != LEAF_DIGITS || !PyUnicode_IS_ASCII(given)) {
        PyErr_SetString(PyExc_ValueError, "prev is a leaf: 64 hexadecimal digits");
        return NULL;
    }
    memcpy(prev, first, LEAF_DIGITS);

    PyObject *sequence = PySequence_Fast(entries, "entries are a sequence");
    if (sequence == NULL) {
        return NULL;
    }
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    if (count > 0 && n > ULLONG_MAX - (unsigned long long)(count - 1)) {
        Py_DECREF(sequence);
        PyErr_SetString(PyExc_OverflowError, "a line's number has 64 bits");
        return NULL;
    }
    Batch batch = {memory, PyByteArray_AS_STRING(memory), 0, (size_t)PyByteArray_GET_SIZE(memory)};
    Place *places = PyMem_New(Place, count ? count : 1);
    PyObject *result = NULL;
    Py_buffer held;
    int bound;

    if (places == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (add_line(&batch, &places[i], stream, n + (unsigned long long)i, PySequence_Fast_GET_ITEM(sequence, i)) < 0) {
            goto done;
        }
    }
    /* Who holds a view of it keeps it where it is. */
    if (PyObject_GetBuffer(memory, &held, PyBUF_WRITABLE) < 0) {
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    bound = bind(batch.bytes, places, count, prev);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&held);
    if (!bound) {
        PyErr_SetString(PyExc_RuntimeError, "OpenSSL did not give a SHA-256");
        goto done;
    }
    result = Py_BuildValue("ns#", (Py_ssize_t)batch.size, prev, (Py_ssize_t)LEAF_DIGITS);
done:
    PyMem_Free(places);
    Py_DECREF(sequence);
    return result;
}

static PyMethodDef functions[] = {
    {"chain", chain, METH_VARARGS, "chain(stream, n, prev, entries, memory): as chain.chain_plainly."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_chain", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__chain(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (sha256 == NULL) {
        PyErr_SetString(PyExc_ImportError, "OpenSSL has no SHA-256");
        return NULL;
    }
    return PyModule_Create(&definition);
}
