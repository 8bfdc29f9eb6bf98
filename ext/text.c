#include "text.h"

#include <string.h>

#include "utf8.h"

const char *text_utf8(PyObject *o, PyObject **kept)
{
    *kept = NULL;
    if (!o || !PyUnicode_Check(o))
        return "";
    const char *utf8 = PyUnicode_AsUTF8(o);
    if (utf8)
        return utf8;
    PyErr_Clear();
    *kept = PyUnicode_AsEncodedString(o, "utf-8", "backslashreplace");
    if (*kept)
        return PyBytes_AS_STRING(*kept);
    PyErr_Clear();
    return "";
}

/* Each NUL as C0 80. */
static PyObject *without_nul(const char *bytes, Py_ssize_t size)
{
    Py_ssize_t nuls = 0;
    for (Py_ssize_t i = 0; i < size; i++)
        nuls += !bytes[i];
    PyObject *made = PyBytes_FromStringAndSize(NULL, size + nuls);
    char *to = made ? PyBytes_AS_STRING(made) : NULL;
    for (Py_ssize_t i = 0; made && i < size; i++) {
        if (bytes[i])
            *to++ = bytes[i];
        else
            to = mempcpy(to, "\xc0\x80", 2);
    }
    return made;
}

/* A name that has what UTF-8 or C has not. */
static PyObject *encode_name(PyObject *o)
{
    PyObject *bytes = PyUnicode_AsEncodedString(o, "utf-8", "surrogatepass");
    PyObject *made = bytes ? without_nul(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes)) : NULL;
    Py_XDECREF(bytes);
    return made;
}

const char *text_name(PyObject *o, PyObject **kept)
{
    Py_ssize_t size;
    *kept = NULL;
    if (!o || !PyUnicode_Check(o))
        return "";
    const char *utf8 = PyUnicode_AsUTF8AndSize(o, &size);
    if (utf8 && strlen(utf8) == (size_t)size)
        return utf8;
    PyErr_Clear();
    *kept = encode_name(o);
    if (*kept)
        return PyBytes_AS_STRING(*kept);
    PyErr_Clear();
    return "";
}

PyObject *text_of_name(const char *name)
{
    size_t size = strlen(name), used = 0;
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)size, NULL);
    if (text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return text;
    PyErr_Clear();
    Py_UCS4 *character = PyMem_Malloc((size + 1) * sizeof *character);
    if (!character)
        return PyErr_NoMemory();
    for (const char *p = name; *p; used++) {
        uint32_t code;
        p += utf8_character(p, &code);
        character[used] = code;
    }
    text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, character, (Py_ssize_t)used);
    PyMem_Free(character);
    return text;
}
