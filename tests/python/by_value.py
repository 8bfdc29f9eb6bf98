"""A function pickled by value, of its parts, as cloudpickle does it for what a worker cannot import. Run, this is a worker: it
calls the function that comes by standard input with 0 to 4, says the sum and whether it has us, and waits if it is given a pipe."""
import io
import marshal
import os
import pickle
import sys
import types


def make_function(code, module, cells):
    return types.FunctionType(code, {"__name__": module, "__builtins__": __builtins__}, None, None, tuple(types.CellType() for _ in range(cells)) or None)


def set_state(function, state):
    attributes, members, names, values = state
    function.__dict__.update(attributes)
    function.__globals__.update(names)
    for cell, value in zip(function.__closure__ or (), values):
        cell.cell_contents = value
    for member, value in members.items():
        setattr(function, member, value)


class Pickler(pickle.Pickler):
    def reducer_override(self, thing):
        if isinstance(thing, types.CodeType):
            return marshal.loads, (marshal.dumps(thing),)
        if not isinstance(thing, types.FunctionType) or thing.__module__ == __name__ or thing.__module__.startswith("timestamp_capture"):
            return NotImplemented
        members = {name: getattr(thing, name) for name in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__")}
        names = {name: thing.__globals__[name] for name in thing.__code__.co_names if name in thing.__globals__}
        values = [cell.cell_contents for cell in thing.__closure__ or ()]
        parts = thing.__code__, thing.__globals__["__name__"], len(values)
        return make_function, parts, (vars(thing), members, names, values), None, None, set_state


def dumps(thing):
    file = io.BytesIO()
    Pickler(file, 4).dump(thing)
    return file.getvalue()


def copy(thing):
    return pickle.loads(dumps(thing))


if __name__ == "__main__":
    function = pickle.load(sys.stdin.buffer)
    print(sum(function(n) for n in range(5)), "timestamp_capture" in sys.modules, flush=True)
    for descriptor in sys.argv[1:]:
        os.read(int(descriptor), 1)
