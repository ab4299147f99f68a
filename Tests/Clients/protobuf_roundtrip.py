"""Google's protobuf for Python on the other side of the wire format's tests.

ProtobufTests runs this twice, with files in one folder between the two runs:

    protobuf_roundtrip.py exchange FOLDER SEED COUNT
        reads   schema.bin (a FileDescriptorSet), swift.bin, shown.bin and shown.json (the same messages twice)
        writes  swift.echo.bin (what was read, written again) and python.bin (COUNT random messages)
    protobuf_roundtrip.py verify FOLDER
        reads   python.bin, python.echo.bin and python.older.bin (what Swift made of it, with the whole schema and an older one)

Messages lie behind each other, each behind its length in four little-endian bytes. What differs is said on standard
error, and the exit code is 1.
"""

import math
import pathlib
import random
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor

LETTERS = "abcXYZ019 _-\"\\/\n\t\0\x7fäßЖ中€😀🂡"
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def message_class(folder):
    """The class of tollgate.test.AllTypes, made from the schema that Swift's code was made from."""
    files = descriptor_pb2.FileDescriptorSet.FromString((folder / "schema.bin").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tollgate.test.AllTypes"))


def read_records(path):
    """The messages of a file, as bytes."""
    data = path.read_bytes()
    position, records = 0, []
    while position < len(data):
        (length,) = struct.unpack_from("<I", data, position)
        position += 4
        records.append(data[position : position + length])
        position += length
    return records


def write_records(path, records):
    """Writes messages behind each other."""
    path.write_bytes(b"".join(struct.pack("<I", len(record)) + record for record in records))


def random_scalar(field, rng):
    """A value of a field that is no message."""
    kind = field.cpp_type
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(max(low, -300), 300)])
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        code = "<d" if kind == FieldDescriptor.CPPTYPE_DOUBLE else "<f"
        (value,) = struct.unpack(code, rng.randbytes(struct.calcsize(code)))
        # NaN does not equal itself.
        return rng.choice([0.0, -0.0, math.inf, -math.inf, 1.5, 0.5 if math.isnan(value) else value])
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice([0, 1, 5, -1, 7, 123456])
    length = rng.choice([0, 1, 5, 20, 150])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(length)
    return "".join(rng.choice(LETTERS) for _ in range(length))


def fill_map(target, field, rng, depth):
    """Sets some entries of a map field."""
    key, value = field.message_type.fields
    for _ in range(rng.choice([0, 1, 2, 5])):
        name = random_scalar(key, rng)
        if value.message_type:
            fill(target[name], rng, depth - 1)
        else:
            target[name] = random_scalar(value, rng)


def fill(message, rng, depth):
    """Sets some of a message's fields."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.5 or (field.message_type and depth <= 0):
            continue
        target = getattr(message, field.name)
        if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
            fill_map(target, field, rng, depth)
        elif field.is_repeated:
            for _ in range(rng.choice([1, 2, 5, 40])):
                if field.message_type:
                    fill(target.add(), rng, depth - 1)
                else:
                    target.append(random_scalar(field, rng))
        elif field.message_type:
            target.SetInParent()
            fill(target, rng, depth - 1)
        else:
            setattr(message, field.name, random_scalar(field, rng))
    return message


def differing(name, left, right):
    """How many messages differ; the first one is shown."""
    if len(left) != len(right):
        print(f"{name}: {len(left)} messages became {len(right)}", file=sys.stderr)
        return 1
    wrong = [index for index, pair in enumerate(zip(left, right)) if pair[0] != pair[1]]
    if wrong:
        print(f"{name}: {len(wrong)} differ, first {wrong[0]}:", file=sys.stderr)
        print(f"{left[wrong[0]]}\n--- became ---\n{right[wrong[0]]}", file=sys.stderr)
    return len(wrong)


def exchange(folder, seed, count):
    """Echoes Swift's messages, compares its JSON with the messages that it shows, and makes random ones."""
    cls = message_class(folder)
    messages = [cls.FromString(record) for record in read_records(folder / "swift.bin")]
    write_records(folder / "swift.echo.bin", [message.SerializeToString() for message in messages])
    shown = [cls.FromString(record) for record in read_records(folder / "shown.bin")]
    parsed = [json_format.Parse(record.decode(), cls()) for record in read_records(folder / "shown.json")]
    rng = random.Random(seed)
    made = [fill(cls(), rng, 3) for _ in range(count)]
    write_records(folder / "python.bin", [message.SerializeToString() for message in made])
    return differing("Swift's JSON", shown, parsed)


def verify(folder):
    """Compares random messages with what Swift made of them."""
    cls = message_class(folder)
    sent, echoed, older = (
        [cls.FromString(record) for record in read_records(folder / name)]
        for name in ("python.bin", "python.echo.bin", "python.older.bin")
    )
    return differing("Python's messages", sent, echoed) + differing("unknown fields", sent, older)


def main(arguments):
    folder = pathlib.Path(arguments[1])
    if arguments[0] == "exchange":
        wrong = exchange(folder, int(arguments[2]), int(arguments[3]))
    else:
        wrong = verify(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
