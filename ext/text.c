#include "text.h"

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
