"""Python functions rewritten so that text formatting, look-ups and globals work on columns too.

A column type can redefine `+` or `[0]`, but not an f-string, `"".join`, `"%05d" %`, `in` or `table[column]`: Python
asks these of the string or table, not of the column. `lifted` compiles a function's own source again with such
expressions calling the operators below, which do what Python does unless a column is involved. It checks first that
the source compiles to exactly the code that it replaces; a function without such source is left as it is.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import opcode
import operator
import re
import string
import textwrap
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from skdp._faker_columns import holds_columns, is_column, rows_of, rowwise, size_of
from skdp._faker_guard import codes, globals_of, is_left_alone
from skdp._faker_numbers import NumberColumn, text_of
from skdp._faker_text import TextColumn, concatenated

REWRITTEN = {
    opcode.opmap[name]
    for name in ("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "BUILD_STRING", "BINARY_OP", "CONTAINS_OP")
    + ("BINARY_SUBSCR", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_IF_FALSE")
    if name in opcode.opmap
}
TABLES = (str, tuple, list, dict, OrderedDict, range)
SETS = (*TABLES, set, frozenset, type({}.keys()), type({}.values()), type(OrderedDict().keys()))


def lifted(function: Callable, substitute: Callable[[Any], Any], operators: dict | None = None) -> Callable:
    """Return the same function with some globals exchanged and, given operators, expressions rewritten for columns.

    Parameters
    ----------
    function : function
    substitute : callable
        Takes the value of a global and returns what shall stand in its place (the same value: no change).
    operators : dict, default=None
        Operators besides those of this module. None: no expression is rewritten.

    Returns
    -------
    function
        The function itself where nothing changes.

    Examples
    --------
    >>> def twice(text):
    ...     return text * 2
    >>> lifted(twice, lambda value: value) is twice
    True
    """
    return Lifting(substitute, operators).lifted(function)


class Lifting:
    """One call of `lifted`, for a function and those that it refers to."""

    def __init__(self, substitute: Callable[[Any], Any], operators: dict | None):
        self.substitute = substitute
        self.operators = operators
        self.done: dict[Callable, Callable] = {}

    def lifted(self, function: Callable) -> Callable:
        """Return the function with exchanged code, globals and closure; itself where nothing changes."""
        if function in self.done:
            return self.done[function]
        self.done[function] = function  # for functions that call each other
        code = (self.operators is not None and rewritten(function)) or function.__code__
        changed = self._exchanged(function)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        lifted_cells = {name: self._lifted_cell(name, cell) for name, cell in cells.items()}
        if code is function.__code__ and not changed and lifted_cells == cells:
            return function
        named = {f"skdp_{name}": operator for name, operator in (self.operators or {}).items()}
        names = {**function.__globals__, **changed, **OPERATORS, **named}
        closure = tuple(lifted_cells[name] for name in code.co_freevars)
        copy = types.FunctionType(code, names, function.__name__, function.__defaults__, closure)
        copy.__kwdefaults__ = function.__kwdefaults__
        return functools.update_wrapper(copy, function)

    def _exchanged(self, function: Callable) -> dict[str, Any]:
        """Return the globals that are to be exchanged."""
        named = [item for code in codes(function.__code__) for item in globals_of(code, function).items()]
        others = {name: self._other(value) for name, value in named}
        return {name: others[name] for name, value in named if others[name] is not value}

    def _other(self, value: Any) -> Any:
        other = self.substitute(value)
        return self.lifted(value) if other is value and _is_helper(value) else other

    def _lifted_cell(self, name: str, cell: types.CellType) -> types.CellType:
        if name == "__class__" or not _is_helper(cell.cell_contents):
            return cell
        other = self.lifted(cell.cell_contents)
        return cell if other is cell.cell_contents else types.CellType(other)


def _is_helper(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and not is_left_alone(value)


def needs_rewriting(function: Callable) -> bool:
    """Whether the code holds any expression that columns need in another form."""
    return any(not REWRITTEN.isdisjoint(code.co_code[::2]) for code in codes(function.__code__))


def rewritten(function: Callable) -> types.CodeType | None:
    """Return the function's source compiled with column operators; None without trustworthy source."""
    if not needs_rewriting(function) or function.__name__ == "<lambda>":
        return None
    try:
        tree = ast.parse(textwrap.dedent(_source(function.__code__))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    original = function.__code__
    tree.decorator_list = []
    compiled = _compiled(tree, function)
    if compiled is None or (compiled.co_code, compiled.co_names) != (original.co_code, original.co_names):
        return None
    code = _compiled(ast.fix_missing_locations(_Operators().visit(tree)), function)
    return code if code is not None and set(code.co_freevars) <= set(original.co_freevars) else None


def _source(code: types.CodeType) -> str:
    """Return what `inspect.getsource` would, without its search through all modules: 4 ms a function."""
    lines = linecache.getlines(code.co_filename)
    return "".join(inspect.getblock(lines[code.co_firstlineno - 1 :]))


def _compiled(tree: ast.FunctionDef, function: Callable) -> types.CodeType | None:
    """Return the code of a function definition, compiled where its names mean what they meant in its module."""
    outer, _, _ = function.__qualname__.rpartition("." + function.__name__)
    body: list[ast.stmt] = [tree]
    if outer and not outer.endswith("<locals>"):
        owner = outer.rpartition(".")[2]  # private names depend on the class
        body = [ast.Global([owner]), ast.ClassDef(owner, [], [], body, [])]
    free = [ast.arg(name) for name in function.__code__.co_freevars if name != "__class__"]
    arguments = ast.arguments([], free, None, [], [], None, [])
    imports = [ast.Import([ast.alias(name)]) for name in _imported(function)]  # calls on these compile differently
    module = ast.Module([*imports, ast.FunctionDef("scope", arguments, body, [], None, lineno=1)], [])
    flags = function.__code__.co_flags & 0x1FF0000
    whole = compile(ast.fix_missing_locations(module), function.__code__.co_filename, "exec", flags, True)
    return next((code for code in codes(whole) if code.co_name == function.__name__), None)


def _imported(function: Callable) -> list[str]:
    """Return the names of globals that another module must have defined."""
    found = [item for code in codes(function.__code__) for item in globals_of(code, function).items()]
    return sorted(
        {
            name
            for name, value in found
            if name in function.__globals__
            and (isinstance(value, types.ModuleType) or getattr(value, "__module__", None) != function.__module__)
            and hasattr(value, "__name__")
        }
    )


class _Operators(ast.NodeTransformer):
    """Exchanges expressions for calls of the operators."""

    def visit_JoinedStr(self, node):
        parts = [self._part(part) for part in node.values]
        return _call("joined", parts)

    def _part(self, part: ast.expr) -> ast.expr:
        if not isinstance(part, ast.FormattedValue):
            return part
        specification = self.visit(part.format_spec) if part.format_spec else ast.Constant("")
        return _call("formatted", [self.visit(part.value), specification, ast.Constant(part.conversion)])

    def visit_BinOp(self, node):
        self.generic_visit(node)
        return _call("modulo", [node.left, node.right]) if isinstance(node.op, ast.Mod) else node

    def visit_Subscript(self, node):
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            return node
        key = node.slice
        if isinstance(key, ast.Slice):
            key = _call("slice", [part or ast.Constant(None) for part in (key.lower, key.upper, key.step)])
        return _call("item", [node.value, key])

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) > 1 or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return node
        negative = ast.Constant(isinstance(node.ops[0], ast.NotIn))
        return _call("contained", [node.left, node.comparators[0], negative])

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("super", "locals"):
            return node  # they look at their caller
        return ast.Call(_name("called"), [node.func, *node.args], node.keywords)

    def visit_IfExp(self, node):
        self.generic_visit(node)
        inner = [part for branch in (node.body, node.orelse) for part in ast.walk(branch)]
        if any(isinstance(part, (ast.NamedExpr, ast.Yield, ast.Await)) or _is_super(part) for part in inner):
            return node
        nothing = ast.arguments([], [], None, [], [], None, [])
        return _call("either", [node.test, ast.Lambda(nothing, node.body), ast.Lambda(nothing, node.orelse)])

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value and node.simple else node


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "super"


def _name(name: str) -> ast.Name:
    return ast.Name(f"skdp_{name}", ast.Load())


def _call(name: str, arguments: list) -> ast.Call:
    return ast.Call(_name(name), arguments, [])


def joined(*parts) -> Any:
    """Write an f-string."""
    size = size_of(parts)
    return "".join(parts) if size is None else concatenated(parts, size)


def formatted(value, specification="", conversion=-1) -> Any:
    """`format(value, specification)`, after the conversion that an f-string may ask for."""
    if conversion != -1:
        value = text_of(value) if conversion == ord("s") else rowwise(repr if conversion == ord("r") else ascii, value)
    if not is_column(value) or is_column(specification):
        return rowwise(format, value, specification)
    if hasattr(type(value), "strftime") and specification:
        return value.strftime(specification)
    if type(value) is TextColumn and specification in ("", "s"):
        return value
    if type(value) is NumberColumn and value.numbers.dtype.kind == "i":
        padding = re.fullmatch(r"(?:0|0>)?([1-9]?)d?", specification)
        if padding:
            return value.filled(int(padding[1] or 0))
    return rowwise(format, value, specification)


def modulo(left, right) -> Any:
    """`left % right`, for text too."""
    if type(left) is not str or not (is_column(right) or holds_columns(right)):
        return left % right
    values = right if type(right) is tuple else (right,)
    pieces = re.split(r"%(0?[1-9]?)([sd])", left)
    if "%" in "".join(pieces[::3]) or len(pieces) != 3 * len(values) + 1:
        return rowwise(operator.mod, left, rows_of(right) if type(right) is tuple else right)
    parts = [pieces[0]]
    for value, width, kind, literal in zip(values, pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if width and not width.startswith("0") or kind == "s" and width:
            return rowwise(operator.mod, left, rows_of(values))
        parts += [formatted(value, width + "d") if kind == "d" else text_of(value), literal]
    return joined(*parts)


def item(container, key) -> Any:
    """`container[key]`."""
    if is_column(key) and not is_column(container) and type(container) in TABLES and not holds_columns(container):
        return rowwise(operator.getitem, container, key)
    return container[key]


def contained(value, container, negative) -> Any:
    """`value in container`, or `value not in container`."""
    if is_column(container) or is_column(value) and type(container) in SETS and not holds_columns(container):
        found = rowwise(operator.contains, container, value)
    else:
        found = value in container
    if type(found) is NumberColumn:
        return NumberColumn(~found.numbers) if negative else found
    return not found if negative else found


def called(function, /, *args, **kwargs) -> Any:
    """`function(*args, **kwargs)`; methods of strings and tables, and functions of numbers, row by row."""
    owner = getattr(function, "__self__", None)
    if type(owner) is str and isinstance(function, types.BuiltinMethodType):
        if function.__name__ == "join":
            return _joined_by(owner, *args)
        if function.__name__ == "format" and size_of((*args, *kwargs.values())) is not None:
            return _filled_in(owner, args, kwargs)
        return rowwise(function, *args, **kwargs)
    if type(owner) in (dict, OrderedDict) and function.__name__ == "get":
        return rowwise(function, *args) if is_column(args[0]) else function(*args, **kwargs)
    if function in (getattr, hasattr) and is_column(args[1]):
        args = (args[0], args[1].concrete(), *args[2:])
    if (function in NUMERIC or getattr(function, "__module__", None) in ROWWISE_MODULES) and args:
        return rowwise(function, *args, **kwargs)
    return function(*args, **kwargs)


ROWWISE_MODULES = {"math", "calendar", "unicodedata", "textwrap"}
NUMERIC = {chr, ord, round, abs, hex, bin, oct, pow}


def _joined_by(separator: str, items) -> Any:
    items = list(items) if not is_column(items) else items
    if is_column(items) or not holds_columns(items):
        return rowwise(separator.join, items)
    parts = [part for value in items for part in (separator, value)][1:]
    return joined(*parts)


def _filled_in(template: str, args: tuple, kwargs: dict) -> Any:
    """`str.format` with columns among its arguments."""
    parts, automatic = [], iter(args)
    for literal, field, specification, conversion in string.Formatter().parse(template):
        parts.append(literal)
        if field is not None:
            value = next(automatic) if not field else args[int(field)] if field.isdigit() else kwargs[field]
            parts.append(formatted(value, specification, ord(conversion) if conversion else -1))
    return joined(*parts)


OPERATORS = {
    f"skdp_{function.__name__}": function for function in (joined, formatted, modulo, item, contained, called, slice)
}
