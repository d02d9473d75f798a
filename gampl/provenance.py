"""Which files and which installed packages a Python file depends on, read from its text without running it.

The workflow redoes a step, and the artifact store makes an artifact anew, when one of these changes and only then.
Standard library only: planning the work must be quick and must not import what it plans.

What cannot be seen: imports by a name that is computed at run time. The package has none of files that nothing else
imports.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent

ABSENT = "not installed"
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def source_files(entry: Path, package: Path = PACKAGE) -> tuple[Path, ...]:
    """A Python file and all files of the package that it imports, directly or through others.

    Imports inside functions count, those for type checkers only (``if TYPE_CHECKING:``) do not. The ``__init__.py``
    of every package on the way counts too: Python runs it.

    Args:
        entry: A module of the package, or a script or py:percent notebook that uses the package.
        package: Folder of the package.

    Returns:
        Absolute paths, sorted, `entry` among them.

    Raises:
        FileNotFoundError: If there is no such file.
        SyntaxError: If one of the files is not Python; the error names it.
        ImportError: If a relative import leads out of the package.
    """
    entry, package = Path(entry).resolve(), Path(package).resolve()
    found: set[Path] = set()
    waiting = [entry, *_files_of(_module_name(entry, package), package)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for module in _imported_modules(file, package):
                waiting.extend(_files_of(module, package))
    return tuple(sorted(found))


def requirements(files: Iterable[Path], package: Path = PACKAGE) -> dict[str, str]:
    """The third-party distributions that these files import and all that those need in turn.

    Optional extras are left out unless a file imports them itself. A module that is imported but not installed is
    listed as such, so that installing it is a change.

    Returns:
        Normalized distribution name -> installed version, sorted by name.
    """
    top_level = {module.partition(".")[0] for file in files for module in _imported_modules(Path(file), Path(package))}
    third_party = top_level - set(sys.stdlib_module_names) - {Path(package).name}
    search_path = tuple(sys.path)
    providers = _providers(search_path)
    waiting = [name for module in third_party for name in providers.get(module, ())]
    versions = {module: ABSENT for module in third_party if module not in providers}
    while waiting:
        name = _normalized(waiting.pop())
        installed = _installed(name, search_path)
        if name not in versions and installed:  # some are required on other platforms or Python versions only
            versions[name], required = installed
            waiting.extend(required)
    return dict(sorted(versions.items()))


def digest(files: Iterable[Path], root: Path = PACKAGE.parent) -> str:
    """SHA-256 over the names and contents of files; the same on every machine and in every order.

    The content of a Python file is its syntax tree without docstrings: neither these nor comments nor the layout
    change what it does, and what was trained stays right.

    Args:
        files: Files below `root`.
        root: Names are taken relative to this folder.

    Raises:
        ValueError: If a file is not below `root`.
        SyntaxError: If a Python file is none.
    """
    root = Path(root).resolve()
    named = {Path(file).resolve().relative_to(root).as_posix(): Path(file) for file in files}
    total = hashlib.sha256()
    for name in sorted(named):
        total.update(f"{_digest_of_content(named[name].read_bytes(), name)}  {name}\n".encode())
    return total.hexdigest()


@cache  # each training of a study asks for that of the same files
def _digest_of_content(content: bytes, name: str) -> str:
    if name.endswith(".py"):
        content = repr(_without_words(ast.parse(content, filename=name))).encode()
    return hashlib.sha256(content).hexdigest()


def _without_words(node: Any) -> Any:
    """A syntax tree as nested tuples, the same from every version of Python: docstrings and empty fields left out."""
    if isinstance(node, list):
        return tuple(map(_without_words, node))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    found = ((name, _without_words(value)) for name, value in fields.items() if value not in (None, []))
    return type(node).__name__, *found


def _module_name(file: Path, package: Path) -> str:
    """Dotted name of a file of the package; empty for a file elsewhere."""
    if not file.is_relative_to(package):
        return ""
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _files_of(module: str, package: Path) -> Iterator[Path]:
    """The files that ``import module`` runs: each ``__init__.py`` on the way and the module itself."""
    first, *rest = module.split(".")
    if first != package.name:
        return
    folder = package
    for name in [None, *rest]:
        folder = folder / name if name else folder
        for file in (folder / "__init__.py", folder.with_suffix(".py")):
            if file.is_file():
                yield file
                break


def _imported_modules(file: Path, package: Path) -> tuple[str, ...]:
    """Absolute dotted names that a file imports.

    After ``from a import b`` both a and a.b: only the files can tell whether b is a module or something in one.
    """
    name = _module_name(file, package)
    return _imports(file.read_bytes(), str(file), name if file.name == "__init__.py" else name.rpartition(".")[0])


@cache  # the workflow asks for the imports of the same files once for each notebook
def _imports(source: bytes, file: str, parent: str) -> tuple[str, ...]:
    """Absolute dotted names that a text imports; relative ones start from the package `parent`."""
    modules: list[str] = []
    for node in _executed_statements(ast.parse(source, filename=file)):
        if isinstance(node, ast.Import):
            modules.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), parent or None)
            modules.append(base)
            modules.extend(f"{base}.{alias.name}" for alias in node.names)
    return tuple(modules)


def _executed_statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements below a node, without those under ``if TYPE_CHECKING:``."""
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ast.expr):
            continue  # holds no statements
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            waiting.extend(child.orelse)
            continue
        if isinstance(child, ast.stmt):
            yield child
        waiting.extend(ast.iter_child_nodes(child))


@cache
def _providers(search_path: tuple[str, ...]) -> Mapping[str, list[str]]:  # noqa: ARG001
    """Top-level module -> the distributions that install it; slow, hence once for a search path."""
    return metadata.packages_distributions()


@cache
def _installed(name: str, search_path: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:  # noqa: ARG001
    """Version of a distribution and the names that it requires, its optional extras left out; None if it is absent."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    required = []
    for requirement in distribution.requires or ():
        needed, _, marker = requirement.partition(";")
        match = re.match(r"\s*([A-Za-z0-9._-]+)", needed)
        if match and not re.search(r"\bextra\b", marker):
            required.append(match[1])
    return distribution.version, tuple(required)


def _normalized(name: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
