"""A second reader of capture files, which knows man/tscap-capture.5 and nothing else of tscap."""
import ctypes
import ctypes.util
import struct

MAGIC = bytes.fromhex("89545343500d0a1a")
STRINGS, TOTALS, END = 1, 11, 0
TABLES = {2: "notes", 3: "names", 4: "processes", 5: "consumers", 6: "threads", 7: "functions", 8: "histograms", 9: "pairs", 10: "nodes", 11: "totals"}
TEXT = {
    "notes": {"key", "value"},
    "names": {"name", "qualname", "module", "file"},
    "processes": {"command", "python", "extension_version", "boot_id"},
    "consumers": {"name", "selected"},
    "threads": {"name"},
}

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = 11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261


def rotated(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def xxh64(data):
    """XXH64 with seed 0, as its specification has it."""

    def round_of(lane, value):
        return rotated((lane + value * P2) & MASK, 31) * P1 & MASK

    at, length = 0, len(data)
    if length >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while at + 32 <= length:
            lanes = [round_of(lane, value) for lane, value in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        total = sum(rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            total = ((total ^ round_of(0, lane)) * P1 + P4) & MASK
    else:
        total = P5
    total = (total + length) & MASK
    while at + 8 <= length:
        total = (rotated(total ^ round_of(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= length:
        total = (rotated(total ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        total = rotated(total ^ byte * P5 & MASK, 11) * P1 & MASK
    total = (total ^ total >> 33) * P2 & MASK
    total = (total ^ total >> 29) * P3 & MASK
    return total ^ total >> 32


def expanded(data, length):
    """A frame of zstd, by the library that tscap needs, too."""
    library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    buffer = ctypes.create_string_buffer(length)
    assert library.ZSTD_decompress(buffer, length, data, len(data)) == length
    return buffer.raw


class Numbers:
    """Numbers of seven bits a byte, one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def __call__(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert value <= MASK
                return value

    def take(self, length):
        self.at += length
        return self.data[self.at - length : self.at]


class Block:
    def __init__(self, data, at):
        head = data[at : at + 48]
        self.magic, self.kind, self.flags, self.stored, self.raw, self.sequence, self.look = struct.unpack_from("<4sHHIIII", head)
        self.began, self.ended, self.sum = struct.unpack_from("<3Q", head, 24)
        self.body = data[at + 48 : at + 48 + self.stored]
        self.end = at + 48 + self.stored
        whole = self.magic == b"TBLK" and len(self.body) == self.stored and xxh64(head[:40] + self.body) == self.sum
        assert whole, "a block that is cut or damaged"
        assert self.raw <= 4194304 and (self.raw == self.stored if not self.flags & 1 else self.stored < self.raw <= 64 * self.stored + 63)

    def numbers(self):
        return Numbers(expanded(self.body, self.raw) if self.flags & 1 else self.body)


class Capture:
    """The last complete look of a file: a list of rows, each a dict, for each table."""

    def __init__(self, data):
        assert data[:8] == MAGIC
        order, self.major, self.minor, header, self.flags, self.created = struct.unpack_from("<IHHIIQ", data, 8)
        assert order == 0x01020304 and self.major == 1 and header >= 64
        assert struct.unpack_from("<Q", data, 56)[0] == xxh64(data[:56])
        self.blocks, self.whole = [], header
        self._find_blocks(data)
        self.finished = bool(self.blocks) and self.blocks[-1].kind == END
        self.looks = [block.look for block in self.blocks if block.kind == TOTALS]
        self.strings = [""]
        self.tables = {name: [] for name in TABLES.values()}
        for block in self.blocks:
            if self.looks and block.look in (0, self.looks[-1]):
                self._read(block)

    def _find_blocks(self, data):
        while self.whole < len(data):
            try:
                block = Block(data, self.whole)
            except (AssertionError, struct.error):
                break
            if block.sequence != len(self.blocks):
                break
            self.blocks.append(block)
            self.whole = block.end

    def _read(self, block):
        if block.kind == STRINGS:
            self._read_strings(block.numbers())
        elif block.kind in TABLES:
            self._read_table(TABLES[block.kind], block.numbers())

    def _read_strings(self, numbers):
        assert numbers() == len(self.strings)
        for _ in range(numbers()):
            self.strings.append(numbers.take(numbers()).replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass"))
        assert numbers.at == len(numbers.data)

    def _read_table(self, table, numbers):
        columns = [self.strings[numbers()] for _ in range(numbers())]
        texts = TEXT.get(table, ())
        for _ in range(numbers()):
            row = {column: numbers() for column in columns}
            self.tables[table].append({key: self.strings[value] if key in texts else value for key, value in row.items()})
        assert numbers.at == len(numbers.data)

    def __getattr__(self, name):
        return self.tables[name]

    @property
    def total(self):
        (row,) = self.totals
        return row

    def calls(self):
        """{qualname: calls}"""
        names = {row["function"]: row["qualname"] or row["name"] for row in self.names}
        return {names[row["function"]]: row["calls"] for row in self.functions}

    def ns(self, ticks):
        return ticks * struct.unpack("<d", struct.pack("<Q", self.total["ns_per_tick"]))[0]


def read(path):
    with open(path, "rb") as file:
        return Capture(file.read())
