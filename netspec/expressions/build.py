"""Building: a checked tree becomes nested closures, once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from netspec.diagnostics import did_you_mean, nearest
from netspec.dims import UndecidedError
from netspec.expressions.base import (
    MAX_INTEGER,
    MAX_NODES,
    UNKNOWN_VALUE,
    Environment,
    Evaluator,
    ExpressionError,
    LoopEnvironment,
    Refusal,
    UnknownError,
)
from netspec.expressions.values import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    QUICK,
    SIGNS,
    TABLE,
    bounded,
    item_of,
    listed,
    show,
    slice_of,
)


def name_help(name: str, env: Environment) -> str | None:
    """Return what an unknown name may have meant."""
    close = nearest(name, [*env, "True", "False", *FUNCTIONS])
    if close:
        return f"did you mean `{close}`?"
    if 0 < len(env) <= 12:
        return "the names in scope are " + ", ".join(f"`{each}`" for each in env)
    return "declare it under `params`" if env else None


def charge_items(value: Any, env: Environment) -> Any:
    """Return a value; in a comprehension, the items of a list count."""
    if type(value) is list and type(env) is LoopEnvironment:
        env.charge(len(value))
    return value


def iterated(value: Any) -> Sequence[Any]:
    """Return the items that a comprehension runs over. Raises ``Refusal`` where it has none."""
    if not isinstance(value, (list, tuple)):
        raise Refusal(f"a comprehension runs over a list, and this is {show(value)}")
    return value


def free_names(node: ast.AST) -> frozenset[str]:
    """Return the names that an expression reads, but for functions and for those that its comprehensions give."""
    match node:
        case ast.Name(id=name):
            return frozenset({name})
        case ast.Call(func=ast.Name(), args=arguments):
            return frozenset[str]().union(*map(free_names, arguments))
        case ast.ListComp(elt=item, generators=generators):
            read = free_names(item)
            for loop in reversed(generators):
                read = read.union(*map(free_names, loop.ifs)) - free_names(loop.target) | free_names(loop.iter)
            return read
    return frozenset[str]().union(*map(free_names, ast.iter_child_nodes(node)))


class ExpressionBuilder:
    """Turns each node into a closure that knows where it stands in the text."""

    def __init__(self, offset: int):
        self.offset = offset

    def fault(self, node: ast.expr, message: str, help: str | None = None) -> ExpressionError:
        """Return the error for a node, whose place is counted from the start of the text."""
        end = node.end_col_offset or node.col_offset
        return ExpressionError(message, self.offset + node.col_offset, self.offset + end, help)

    def placed(self, node: ast.expr, run: Callable[..., Any]) -> Callable[..., Any]:
        """``run``, with what it refuses placed at ``node``."""

        def apply(*values: Any) -> Any:
            try:
                return run(*values)
            except Refusal as found:
                raise self.fault(node, found.message, found.help) from None
            except UndecidedError as found:
                raise self.fault(node, str(found), "give the dimension a number in `inputs`") from None

        return apply

    def applied(self, node: ast.expr, run: Callable[..., Any], parts: Sequence[ast.expr]) -> Evaluator:
        """``run`` of the values of the parts."""
        apply, built = self.placed(node, run), [self.build(part) for part in parts]
        charge = self.placed(node, charge_items)
        return lambda env: charge(apply(*[part(env) for part in built]), env)

    def build(self, node: ast.expr) -> Evaluator:
        """Return the evaluator of a node. Raises ``ExpressionError`` where the language has no such expression."""
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                self.placed(node, bounded)(value)
                return lambda env: value
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self.applied(node, lambda *values: listed(values), items)
            case ast.ListComp(elt=item, generators=generators):
                return self.comprehension(node, item, generators)
            case ast.BinOp(op=op) if type(op) in ARITHMETIC:
                return self.arithmetic(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test = self.condition(operand, "not")
                return lambda env: not test(env)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in SIGNS:
                return self.applied(node, SIGNS[type(op)], [operand])
            case ast.BoolOp(op=op, values=values):
                return self.combined(isinstance(op, ast.And), values)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.comparison(node, [left, *others], [COMPARISONS[type(op)] for op in ops])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                choose, then, other = self.condition(test, "if"), self.build(body), self.build(orelse)
                return lambda env: then(env) if choose(env) else other(env)
            case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=step)):
                bounds = [bound or ast.Constant(None) for bound in (lower, upper, step)]
                return self.applied(node, slice_of, [value, *bounds])
            case ast.Subscript(value=value, slice=index):
                return self.applied(node, item_of, [value, index])
            case ast.Call(func=function, args=arguments):
                return self.call(node, function, arguments)
            case ast.Constant(value=None):  # an omitted bound of a slice: the word itself is refused before
                return lambda env: None
            case ast.Starred():
                raise self.fault(node, "`*` cannot unpack a list here", "join lists with `+`")
            case ast.Slice():
                raise self.fault(node, "a list takes one index or one slice")
        raise self.fault(node, "this is not allowed in an expression")

    def name(self, node: ast.expr, name: str) -> Evaluator:
        """Return the evaluator of a name; it raises ``ExpressionError`` where nothing has that name."""

        def evaluate(env: Environment) -> Any:
            if name in env:
                value = env[name]
                if value is UNKNOWN_VALUE:
                    raise UnknownError
                return list(value) if type(value) is tuple else value
            if name in FUNCTIONS:
                raise self.fault(node, f"`{name}` is a function", f"call it: `{name}(…)`")
            raise self.fault(node, f"unknown name `{name}`", name_help(name, env))

        return evaluate

    def arithmetic(self, node: ast.BinOp) -> Evaluator:
        """Return the evaluator of ``a + b`` and the like."""
        left, right = self.build(node.left), self.build(node.right)
        general, quick = self.placed(node, ARITHMETIC[type(node.op)]), QUICK.get(type(node.op))
        charge = self.placed(node, charge_items)

        def evaluate(env: Environment) -> Any:
            a, b = left(env), right(env)
            if quick and type(a) is int and type(b) is int and -MAX_INTEGER <= (result := quick(a, b)) <= MAX_INTEGER:
                return result
            return charge(general(a, b), env)

        return evaluate

    def comprehension(self, node: ast.expr, item: ast.expr, generators: Sequence[ast.comprehension]) -> Evaluator:
        """``[item for name in items if test for …]``: every turn counts, also of those inside others."""
        loops = [(self.build(loop.iter), self.target(loop), self.tests(loop), loop.iter) for loop in generators]
        build = self.build(item)

        def turns(env: LoopEnvironment, depth: int) -> Iterator[Any]:
            if depth == len(loops):
                yield build(env)
                return
            items, bind, tests, place = loops[depth]
            for value in self.placed(place, iterated)(items(env)):
                self.placed(place, env.charge)(1)
                bind(env, value)
                if all(test(env) for test in tests):
                    yield from turns(env, depth + 1)

        return lambda env: self.placed(node, listed)([*turns(LoopEnvironment(env), 0)])

    def target(self, loop: ast.comprehension) -> Callable[[LoopEnvironment, Any], None]:
        """Return what gives the names of a comprehension their values: one name, or several for the items of a row."""
        names = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        if not all(isinstance(name, ast.Name) for name in names):
            raise self.fault(loop.target, "a comprehension gives values to names", "write `[2 * d for d in depths]`")
        words = [name.id for name in names if isinstance(name, ast.Name)]

        def bind(env: LoopEnvironment, value: Any) -> None:
            if len(words) == 1 and not isinstance(loop.target, ast.Tuple):
                env[words[0]] = value
                return
            if not isinstance(value, (list, tuple)) or len(value) != len(words):
                raise self.fault(loop.target, f"{len(words)} names take a list of as many items, not {show(value)}")
            env.update(zip(words, value))

        return bind

    def tests(self, loop: ast.comprehension) -> list[Evaluator]:
        """Return the conditions of a comprehension."""
        return [self.condition(test, "if") for test in loop.ifs]

    def condition(self, node: ast.expr, word: str) -> Evaluator:
        """Return the evaluator of a truth value that ``word`` asks for."""
        run = self.build(node)

        def evaluate(env: Environment) -> bool:
            value = run(env)
            if isinstance(value, bool):
                return value
            message = f"`{word}` takes a condition, and this is {show(value)}"
            raise self.fault(node, message, "compare it: `x > 0`, `x == y`")

        return evaluate

    def combined(self, every: bool, nodes: Sequence[ast.expr]) -> Evaluator:
        """``and`` or ``or``: later operands are read only where the earlier ones leave it open."""
        tests = [self.condition(node, "and" if every else "or") for node in nodes]
        if every:
            return lambda env: all(test(env) for test in tests)
        return lambda env: any(test(env) for test in tests)

    def comparison(
        self, node: ast.expr, nodes: Sequence[ast.expr], compares: Sequence[Callable[[Any, Any], bool]]
    ) -> Evaluator:
        """``a < b <= c``: later operands are read only where the earlier ones hold."""
        first, *others = [self.build(part) for part in nodes]
        steps = [(self.placed(node, compare), part) for compare, part in zip(compares, others)]

        def evaluate(env: Environment) -> bool:
            left = first(env)
            for compare, part in steps:
                right = part(env)
                if not compare(left, right):
                    return False
                left = right
            return True

        return evaluate

    def call(self, node: ast.expr, function: ast.expr, arguments: Sequence[ast.expr]) -> Evaluator:
        """Return the evaluator of a call of one of the language's functions."""
        if not isinstance(function, ast.Name):
            raise self.fault(function, "only a function can be called, by its name")
        if function.id not in TABLE:
            repair = did_you_mean(function.id, FUNCTIONS) or "the functions are " + ", ".join(TABLE)
            raise self.fault(function, f"unknown function `{function.id}`", repair)
        run, least, most = TABLE[function.id]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} or more" if most == MAX_NODES else f"{least} to {most}"
            message = f"`{function.id}` takes {wanted} argument{'s' * (wanted != '1')}, not {len(arguments)}"
            raise self.fault(node, message)
        return self.applied(node, lambda *values: bounded(run(*values)), arguments)
