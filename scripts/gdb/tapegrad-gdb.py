"""Shows tensors and shapes in gdb: `print x` gives float32 [2, 2] [[1, 2], [3, 4]].

gdb loads it by itself with a shared tapegrad in a prefix of the system; else say
    (gdb) source PREFIX/share/tapegrad/gdb/tapegrad-gdb.py
It reads memory, calls nothing, and needs no debug information of the library: so it serves core files too.
"""
import struct

import gdb

# What a Tensor points to, detail::TensorImpl in src/tensor/impl.h, by its bytes.
DTYPE, DATA, SHAPE, STRIDES, BYTES = 8, 24, 40, 112, 184
DTYPES = [("float32", "f"), ("float64", "d"), ("int64", "q"), ("boolean", "?")]
EDGE = 3  # entries of an axis that are shown at each end, if it has more than twice as many


class ShapePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return str([int(self.value["sizes_"][i]) for i in range(int(self.value["rank_"]))])


class TensorPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        address = int(self.value["impl_"]["object_"])
        if address == 0:
            return "empty handle"
        impl = bytes(gdb.selected_inferior().read_memory(address, BYTES))
        name, code = DTYPES[impl[DTYPE]]
        data, rank = struct.unpack_from("<Q", impl, DATA)[0], struct.unpack_from("<q", impl, SHAPE)[0]
        shape = list(struct.unpack_from("<%dq" % rank, impl, SHAPE + 8))
        strides = struct.unpack_from("<%dq" % rank, impl, STRIDES + 8)
        size = struct.calcsize(code)

        def text(at, axis):
            if axis == rank:
                element = bytes(gdb.selected_inferior().read_memory(data + at * size, size))
                number = struct.unpack("<" + code, element)[0]
                return "%.6g" % number if code in "fd" else str(number).lower()
            n = shape[axis]
            few = n <= 2 * EDGE
            shown = range(n) if few else [*range(EDGE), *range(n - EDGE, n)]
            parts = [text(at + i * strides[axis], axis + 1) for i in shown]
            return "[%s]" % ", ".join(parts if few else parts[:EDGE] + ["..."] + parts[EDGE:])

        return "%s %s %s" % (name, shape, text(0, 0))


def printer(value):
    name = value.type.strip_typedefs().unqualified().name
    if name == "tapegrad::Shape":
        return ShapePrinter(value)
    if name in ("tapegrad::Tensor", "tapegrad::nn::Parameter"):
        return TensorPrinter(value)
    return None


gdb.pretty_printers.append(printer)
