/* A program of its own that runs Python: it exports nothing, as programs do. */
int Py_BytesMain(int count, char **arguments);

int main(int count, char **arguments) { return Py_BytesMain(count, arguments); }
