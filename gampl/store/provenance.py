"""Which files and which installed packages a Python file depends on, read from its text without running it.

The workflow redoes a step, and the artifact store makes an artifact anew, when one of these changes and only then.
Standard library only: planning the work must be quick and must not import what it plans. Imports by a name that is
computed at run time cannot be seen; the package has none of files that nothing else imports.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
ABSENT = "not installed"
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def checkout() -> Path | None:
    """The project's folder; None if the package is installed elsewhere."""
    return PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else None


def source_files(entry: Path, packages: Sequence[Path] = (PACKAGE,)) -> tuple[Path, ...]:
    """A Python file and all files of some packages that it imports, directly or through others.

    Imports inside functions count, those for type checkers only (``if TYPE_CHECKING:``) do not. The ``__init__.py``
    of every package on the way counts too: Python runs it. What a package offers lazily, as its ``__init__.pyi``
    says, counts as an import from where it is defined.

    The entry is a module of a package, or a script or py:percent notebook that uses some; packages are given by their
    folders. Returns absolute paths, sorted, `entry` among them. A SyntaxError names a file that is not Python; an
    ImportError if a relative import leads out of the package.
    """
    entry, packages = Path(entry).resolve(), [Path(package).resolve() for package in packages]
    closure: set[Path] = set()
    waiting = [entry, *_files_of(_module_name(entry, packages), packages)]
    while waiting:
        file = waiting.pop()
        if file not in closure:
            closure.add(file)
            for module in _imported_modules(file, packages):
                waiting.extend(_files_of(module, packages))
    return tuple(sorted(closure))


def requirements(files: Iterable[Path], packages: Sequence[Path] = (PACKAGE,)) -> dict[str, str]:
    """The third-party distributions that files import and all that those need: sorted normalized names -> versions.

    Optional extras are left out unless a file imports them itself. A module that is not installed is listed as such, so
    that installing it is a change.
    """
    packages = [Path(package) for package in packages]
    top_level = {module.partition(".")[0] for file in files for module in _imported_modules(Path(file), packages)}
    third_party = top_level - set(sys.stdlib_module_names) - {package.name for package in packages}
    search_path = tuple(sys.path)
    providers = _providers(search_path)
    waiting = [name for module in third_party for name in providers.get(module, ())]
    versions = {module: ABSENT for module in third_party if module not in providers}
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()  # as package indexes compare names (PEP 503)
        installed = _installed(name, search_path)
        if name not in versions and installed:  # some are required on other platforms or Python versions only
            versions[name], required = installed
            waiting.extend(required)
    return dict(sorted(versions.items()))


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of files; the same on every machine, in every order and wherever they are.

    The content of a Python file is its syntax tree without docstrings and imports. So what was trained stays right when
    a comment is reworded, or a file moves. A SyntaxError names a file that is named like Python but is not Python.
    """
    contents = {_digest_of_content(Path(file).read_bytes(), Path(file).name) for file in files}
    return hashlib.sha256(" ".join(sorted(contents)).encode()).hexdigest()


@cache  # each training of a study asks for that of the same files
def _digest_of_content(content: bytes, name: str) -> str:
    if name.endswith(".py"):
        content = repr(_without_words(ast.parse(content, filename=name))).encode()
    return hashlib.sha256(content).hexdigest()


def _without_words(node: Any) -> Any:
    """A syntax tree without docstrings, imports and empty fields, as nested tuples; alike in all versions of Python."""
    if isinstance(node, list):
        return tuple(_without_words(item) for item in node if not isinstance(item, ast.Import | ast.ImportFrom))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    rest = ((name, _without_words(value)) for name, value in fields.items() if value not in (None, []))
    return type(node).__name__, *rest


def _module_name(file: Path, packages: Sequence[Path]) -> str:
    """Dotted name of a file of a package; empty for a file elsewhere."""
    for package in packages:
        if file.is_relative_to(package):
            parts = file.relative_to(package.parent).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return ""


def _files_of(module: str, packages: Sequence[Path]) -> Iterator[Path]:
    """The files that ``import module`` runs: each ``__init__.py`` on the way and the module itself."""
    names = module.split(".")
    folder = next((package.parent for package in packages if package.name == names[0]), None)
    if folder is None:
        return
    for name in names:
        public = folder / "__init__.pyi"
        if public.is_file() and (source := _offered(public.read_bytes()).get(name)):
            yield from _files_of(f"{_module_name(folder / '__init__.py', packages)}.{source}", packages)
        folder /= name
        yield from [file for file in (folder / "__init__.py", folder.with_suffix(".py")) if file.is_file()][:1]


@cache
def _offered(stub: bytes) -> Mapping[str, str]:
    """Name -> the module of a package that defines it, from the text of an ``__init__.pyi``."""
    statements = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in statements for alias in node.names}


def _imported_modules(file: Path, packages: Sequence[Path]) -> tuple[str, ...]:
    """Absolute dotted names that a file imports.

    After ``from a import b`` both a and a.b: only the files can tell whether b is a module or something in one.
    """
    name = _module_name(file, packages)
    return _imports(file.read_bytes(), str(file), name if file.name == "__init__.py" else name.rpartition(".")[0])


@cache  # the workflow asks for the imports of the same files once for each notebook
def _imports(source: bytes, file: str, parent: str) -> tuple[str, ...]:
    """Absolute dotted names that a text imports; relative ones start from the package `parent`."""
    modules: list[str] = []
    waiting: list[ast.AST] = [ast.parse(source, filename=file)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), parent or None)
            modules += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
    return tuple(modules)


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
    required = [entry for entry in distribution.requires or () if not re.search(r";.*\bextra\b", entry)]
    return distribution.version, tuple(re.findall(r"[\w.-]+", entry)[0] for entry in required)
