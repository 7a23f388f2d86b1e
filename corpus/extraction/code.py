"""Files of source code: which language, whether text at all, notebooks as scripts.

language_of("src/main.rs", "") -> "Rust"
source_text("a.ipynb", content).text -> "# # Title\\n\\nprint(1)"
"""

import json
import re
from dataclasses import dataclass
from typing import Any, final

from corpus.extraction.charset import decode

_EXTENSIONS: dict[str, str] = {
    extension: language
    for language, extensions in {
        "Ada": "adb ads", "Assembly": "asm s", "Batchfile": "bat cmd", "C": "c h", "C#": "cs csx", "C++": "cc cpp cxx hpp hh hxx ipp inl",
        "CMake": "cmake", "CSS": "css scss sass less", "CUDA": "cu cuh", "Clojure": "clj cljs cljc edn", "CoffeeScript": "coffee",
        "Common Lisp": "lisp lsp cl",
        "Coq": "v", "Crystal": "cr", "D": "d di", "Dart": "dart", "Dockerfile": "dockerfile", "Elixir": "ex exs", "Elm": "elm",
        "Emacs Lisp": "el",
        "Erlang": "erl hrl", "F#": "fs fsi fsx", "Fortran": "f f77 f90 f95 f03 f08 for", "GLSL": "glsl vert frag", "Go": "go",
        "GraphQL": "graphql gql",
        "Groovy": "groovy gradle", "HCL": "tf hcl", "HTML": "html htm xhtml", "Haskell": "hs lhs", "Haxe": "hx", "Idris": "idr",
        "Java": "java",
        "JavaScript": "js mjs cjs jsx", "Julia": "jl", "Jupyter Notebook": "ipynb", "Kotlin": "kt kts", "Lean": "lean", "Lua": "lua",
        "MATLAB": "m mlx",
        "Makefile": "mk mak", "Markdown": "md markdown", "Nim": "nim", "Nix": "nix", "OCaml": "ml mli", "Objective-C": "mm",
        "PHP": "php phtml",
        "Pascal": "pas pp dpr", "Perl": "pl pm", "PowerShell": "ps1 psm1", "Prolog": "pro", "Protocol Buffer": "proto",
        "Python": "py pyi pyx pxd", "R": "r",
        "Racket": "rkt", "Ruby": "rb rake gemspec", "Rust": "rs", "SQL": "sql", "Scala": "scala sc sbt", "Scheme": "scm ss",
        "Shell": "sh bash zsh fish ksh",
        "Solidity": "sol", "Stan": "stan", "Swift": "swift", "SystemVerilog": "sv svh", "Tcl": "tcl", "TeX": "tex sty cls",
        "TypeScript": "ts tsx mts cts",
        "VHDL": "vhd vhdl", "Vim Script": "vim", "Visual Basic": "vb bas", "Vue": "vue", "Svelte": "svelte", "XSLT": "xsl xslt",
        "Zig": "zig",
        "reStructuredText": "rst", "TOML": "toml", "YAML": "yaml yml",
    }.items()
    for extension in extensions.split()
}  # fmt: skip
_NAMES = {
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile",
    "cmakelists.txt": "CMake",
    "rakefile": "Ruby",
    "gemfile": "Ruby",
}
_NAMES |= {"build": "Starlark", "build.bazel": "Starlark", "jenkinsfile": "Groovy", "vagrantfile": "Ruby", "justfile": "Makefile"}
_SHEBANG = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-S\s+)?)?([a-z]+)")
_INTERPRETERS = {
    "python": "Python", "pypy": "Python", "bash": "Shell", "sh": "Shell", "zsh": "Shell", "dash": "Shell", "ksh": "Shell",
    "node": "JavaScript",
    "perl": "Perl", "ruby": "Ruby", "php": "PHP", "lua": "Lua", "awk": "Awk", "gawk": "Awk", "tclsh": "Tcl", "rscript": "R",
    "julia": "Julia",
}  # fmt: skip
_OBJECTIVE_C = re.compile(r"^\s*(?:@interface|@implementation|@protocol|#import)\b", re.MULTILINE)
_CPLUSPLUS = re.compile(
    r"^\s*(?:class\s+\w+|namespace\s+\w+|template\s*<|using\s+(?:namespace|\w+\s*=)|(?:public|private|protected)\s*:)|std::", re.MULTILINE
)
_VERILOG = re.compile(r"^\s*(?:module\s+\w+|endmodule|always\b)", re.MULTILINE)
_LOOKED_AT = 20_000

_C_LIKE = ("//", "/*", "*/")
_HASH = ("#", "", "")
# Language -> mark of a comment to the end of the line, marks around a longer one.
COMMENTS: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        (
            "C", "C#", "C++", "CUDA", "D", "Dart", "F#", "GLSL", "Go", "Groovy", "Haxe", "Java", "JavaScript", "Kotlin", "Objective-C",
            "PHP",
            "Protocol Buffer", "Rust", "Scala", "Solidity", "Swift", "SystemVerilog", "TypeScript", "Verilog", "Zig", "Stan", "HCL",
        ),
        _C_LIKE,
    ),
    **dict.fromkeys(("CMake", "Crystal", "Dockerfile", "Elixir", "Makefile", "Nim", "Nix", "Perl", "R", "Ruby", "Shell", "Starlark",
    "Tcl", "Awk"), _HASH),
    "Python": ("#", '"""', '"""'), "Julia": ("#", "#=", "=#"), "PowerShell": ("#", "<#", "#>"), "CSS": ("", "/*", "*/"), "SQL": ("--",
    "/*", "*/"),
    "Haskell": ("--", "{-", "-}"), "Lua": ("--", "--[[", "]]"), "Ada": ("--", "", ""), "VHDL": ("--", "", ""), "Elm": ("--", "{-", "-}"),
    "Lean": ("--", "/-", "-/"), "OCaml": ("", "(*", "*)"), "Coq": ("", "(*", "*)"), "Clojure": (";", "", ""), "Common Lisp": (";", "#|",
    "|#"),
    "Scheme": (";", "#|", "|#"), "Racket": (";", "#|", "|#"), "Emacs Lisp": (";", "", ""), "Erlang": ("%", "", ""), "Prolog": ("%",
    "/*", "*/"),
    "MATLAB": ("%", "%{", "%}"), "TeX": ("%", "", ""), "HTML": ("", "<!--", "-->"), "Vue": ("//", "<!--", "-->"), "Assembly": (";", "", ""),
}  # fmt: skip


@final
@dataclass(frozen=True)
class SourceText:
    """``text`` is None where the file is binary, or a notebook that cannot be read."""

    text: str | None
    language: str | None
    charset_source: str | None = None


def language_of(path: str, text: str) -> str | None:
    """By the file's name, its first line, and for endings that languages share (.h, .m, .v, .pl) by the text; None: not known as code."""
    name = path.rpartition("/")[2].lower()
    extension = name.rpartition(".")[2] if "." in name else ""
    language = _NAMES.get(name) or _EXTENSIONS.get(extension)
    head = text[:_LOOKED_AT]
    if language is None and not extension and text.startswith("#!"):
        found = _SHEBANG.match(text, 0, 200)
        return _INTERPRETERS.get(found.group(1)) if found else None
    if extension in ("h", "m") and _OBJECTIVE_C.search(head):
        return "Objective-C"
    if extension == "h" and _CPLUSPLUS.search(head):
        return "C++"
    if extension == "v" and _VERILOG.search(head):
        return "Verilog"
    return language


def may_be_code(path: str) -> bool:
    """By its name alone: a known ending or name, or none (then the first line decides)."""
    name = path.rpartition("/")[2].lower()
    return name in _NAMES or (name.rpartition(".")[2] in _EXTENSIONS if "." in name else bool(name))


def source_text(path: str, content: bytes) -> SourceText:
    """The file's text with line ends as ``\\n``; a notebook becomes a script, its prose comments. Never raises."""
    if b"\0" in content[:8192] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return SourceText(None, language_of(path, ""))
    text, charset_source = decode(content, None, False)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    language = language_of(path, text)
    if language == "Jupyter Notebook":
        return SourceText(notebook_script(text), "Python", charset_source)
    return SourceText(text, language, charset_source)


def notebook_script(text: str) -> str | None:
    """Code cells as they are, other cells as comments, a blank line between; outputs go. None where it is no notebook."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    cells: Any = told.get("cells") if isinstance(told, dict) else None
    if cells is None and isinstance(told, dict) and isinstance(told.get("worksheets"), list):  # format 3
        cells = [cell for sheet in told["worksheets"] if isinstance(sheet, dict) for cell in sheet.get("cells") or ()]
    if not isinstance(cells, list):
        return None
    parts: list[str] = []
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", cell.get("input", ""))
        lines = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if cell.get("cell_type") != "code":
            lines = "\n".join(f"# {line}".rstrip() for line in lines.split("\n"))
        if lines.strip("# \n"):
            parts.append(lines.rstrip())
    return "\n\n".join(parts)


def comment_share(text: str, language: str | None) -> float | None:
    """Characters in comments by all that are no space; None where it is not known how the language writes them.

    Marks inside of strings are not comments; Python's docstrings are.
    """
    pattern = _comments(language)
    total = sum(map(len, text.split()))
    if pattern is None or not total:
        return None
    return sum(sum(map(len, found.group().split())) for found in pattern.finditer(text) if found.lastgroup == "comment") / total


def _comments(language: str | None) -> re.Pattern[str] | None:
    if language not in COMMENTS:
        return None
    line, start, end = COMMENTS[language]
    forms = [f"{re.escape(start)}(?:(?!{re.escape(end)}).)*(?:{re.escape(end)})?"] if start else []
    if language == "Python":
        forms.append("'''(?:(?!''').)*(?:''')?")
    if line:
        forms.append(f"{re.escape(line)}[^\n]*")
    strings = r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
    if language == "HTML":
        strings = "(?!)"
    return re.compile(f"(?P<comment>{'|'.join(forms)})|{strings}", re.DOTALL)
