"""Readers of the files that `tscap convert` makes, as small as the formats allow; written from the formats' descriptions."""
import gzip
import re


def unescape(text):
    """Of formats of lines: \\xNN, which is a byte, \\uNNNN and \\\\. Bytes that are no UTF-8 are surrogates, as in os.fsdecode()."""

    def character(match):
        code = int(match[1] or match[2] or "5c", 16)
        return chr(code + 0xDC00 if match[1] and code > 0x7F else code)

    return re.sub(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|\\)", character, text)


# --- folded stacks ---


def read_folded(text):
    """{(thread, function, ...): number}"""
    found = {}
    for line in text.split("\n")[:-1]:
        path, number = line.rsplit(" ", 1)
        names = tuple(unescape(name) for name in path.split(";"))
        assert names not in found, "a path has one line"
        found[names] = int(number)
    return found


# --- callgrind ---


class Callgrind:
    """Functions are (file, name)."""

    def __init__(self, text):
        self.header, self.cost, self.line, self.calls = {}, {}, {}, {}
        self._names = {"f": {}, "n": {}}
        self._lines = iter(text.split("\n"))
        assert next(self._lines) == "# callgrind format"
        for line in self._lines:
            self._take(line)
        self.events = self.header["events"].split()

    def _name(self, kind, text):
        number, name = re.fullmatch(r"\((\d+)\)(?: (.*))?", text).groups()
        if name is not None:
            assert number not in self._names[kind], "a name is told once"
            self._names[kind][number] = unescape(name)
        return self._names[kind][number]

    def _costs(self):
        return [int(word) for word in next(self._lines).split()]

    def _take(self, line):
        key, _, value = line.partition("=")
        if key == "fl":
            self._file = self._name("f", value)
        elif key == "fn":
            self._function = self._file, self._name("n", value)
        elif key == "cfi":
            self._callee_file = self._name("f", value)
        elif key == "cfn":
            self._callee = self._callee_file, self._name("n", value)
        elif key == "calls":
            count, _ = map(int, value.split())
            assert (self._function, self._callee) not in self.calls
            self.calls[self._function, self._callee] = count, self._costs()[1:]
        elif re.match("[0-9]", line):
            assert self._function not in self.cost
            self.line[self._function], *self.cost[self._function] = map(int, line.split())
        elif line:
            name, value = line.split(": ", 1)
            self.header.setdefault(name, value)


# --- pprof: protocol buffers ---


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def read_fields(data):
    """[(number, int or bytes), ...] of a message."""
    at, found = 0, []
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
            assert len(value) == len(data[at - len(value) : at])
        else:
            assert key & 7 == 0
        found.append((key >> 3, value))
    assert at == len(data)
    return found


def read_packed(data):
    at, found = 0, []
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


class Pprof:
    """`samples`: [(functions as (name, file, line) from the outermost on, {type: value}, {label: value}), ...]"""

    def __init__(self, data):
        assert data[:2] == b"\x1f\x8b"
        fields = read_fields(gzip.decompress(data))
        self.strings = [value.decode() for number, value in fields if number == 6]
        assert self.strings[0] == ""
        self.types = [tuple(self.strings[dict(read_fields(value))[key]] for key in (1, 2)) for number, value in fields if number == 1]
        self.functions = self._functions(fields)
        self.locations = self._locations(fields)
        self.samples = [self._sample(read_fields(value)) for number, value in fields if number == 2]
        numbers = {number: value for number, value in fields if isinstance(value, int)}
        self.time, self.duration, self.default = numbers.get(9, 0), numbers.get(10, 0), self.strings[numbers[14]]

    def _functions(self, fields):
        found = {}
        for function in (dict(read_fields(value)) for number, value in fields if number == 5):
            assert function[1] not in found and function[1] and 3 not in function, "ids are unique and not 0; system_name is empty"
            found[function[1]] = self.strings[function[2]], self.strings[function.get(4, 0)], function.get(5, 0)
        return found

    def _locations(self, fields):
        found = {}
        for location in (dict(read_fields(value)) for number, value in fields if number == 4):
            line = dict(read_fields(location[4]))
            assert location[1] not in found and location[1]
            assert line.get(2, 0) == self.functions[line[1]][2]
            found[location[1]] = self.functions[line[1]]
        return found

    def _sample(self, fields):
        single = dict(fields)
        values = read_packed(single[2])
        assert len(values) == len(self.types)
        labels = {}
        for label in (dict(read_fields(value)) for number, value in fields if number == 3):
            key = self.strings[label[1]]
            assert key not in labels, "one a key"
            labels[key] = self.strings[label[2]] if 2 in label else label[3]
        path = tuple(self.locations[number] for number in reversed(read_packed(single[1])))
        return path, dict(zip((name for name, _ in self.types), values)), labels
