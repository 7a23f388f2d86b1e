"""LaTeX against texts worked out by hand: commands, macros, files; and against whatever the generator thinks of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.latex import body_text, title_of, without_comments
from corpus.extraction.papers import read_paper


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\section{Tea} Water \emph{boils} at $T=100$.~\cite{x}", "Tea\n\nWater boils at $T=100$."),
        ("One line\nand the next.\n\nA new\nparagraph.", "One line and the next.\n\nA new paragraph."),
        (r"\begin{itemize}\item first \item[x] second\end{itemize}After", "- first\n- second\n\nAfter"),
        (r"Let \begin{equation}\label{e} a^{2} = b \end{equation} hold.", "Let\n\n\\begin{equation} a^{2} = b \\end{equation}\n\nhold."),
        (r"\[ x \] and \(y\) and $$z$$", "\\[ x \\]\n\nand \\(y\\) and\n\n$$z$$"),
        (r"It costs \$5 and 10\% of it\ldots", "It costs $5 and 10% of it…"),
        ("``Quoted'' -- so---yes", "“Quoted” – so—yes"),
        (r"Erd\H{o}s, Schr\"odinger, fa\c{c}ade, na\"{\i}ve, \v{C}ech", "Erdős, Schrödinger, façade, naïve, Čech"),
        (r"\begin{figure}\includegraphics[w]{a.png}\caption{A \textbf{bold} cat.}\end{figure}Text", "A bold cat.\n\nText"),
        (r"a\begin{tabular}{cc}1 & 2\\ 3 & 4\end{tabular}b", "ab"),
        (r"\href{http://x}{the site} and \textcolor{red}{red}", "the site and red"),
        (r"Claim \citep[see][p.~3]{a,b} (\cite{c}; \ref{d}).\footnote{No \emph{note}.}", "Claim."),
        ("\\begin{verbatim}\n  x = $5\n\\end{verbatim}", "  x = $5"),
        (r"A $unclosed formula", "A unclosed formula"),
        (r"\foo{kept} \bar[opt]{also}", "kept also"),
        ("", ""),
    ],
)
def test_by_hand(source: str, expected: str) -> None:
    assert body_text(source) == expected


def test_comments() -> None:
    assert without_comments("a% x\n  b 5\\% c\n% d\n% e\n\nf\\\\% g\nh") == "ab 5\\% c\n\n\nf\\\\h"


def test_title() -> None:
    assert title_of(r"\title[Short]{A \emph{Study} of\\ {T}ea}\author{X}") == "A Study of Tea"
    assert title_of(r"\title{unclosed") is None


MAIN = rb"""\documentclass{article}
\newcommand{\R}{\mathbb{R}}
\newcommand{\pair}[2][x]{(#1, #2)}
\def\half#1{\frac{1}{#1}}
\DeclareMathOperator{\tr}{Tr}
\newcommand{\name}{GristNet\xspace}
\title{On \name}
\begin{document}
\maketitle
\name works in $\R^2$. \name, too: \pair{y}, \pair[a]{b}, $\half 2 + \tr A$.
\input{sections/one}\include{two.tex}
\input{../../etc/passwd}\input{/etc/passwd}\input{|ls}\input{none}
\begin{thebibliography}{9}\bibitem{a} Someone. Something.\end{thebibliography}
\end{document}
Nothing."""
EXPECTED = """GristNet works in $\\mathbb{R}^2$. GristNet, too: (x, y), (a, b), $\\frac{1}{2} + \\operatorname{Tr} A$. First words. Second
words."""


def test_a_paper_of_several_files() -> None:
    files = {
        "main.tex": MAIN,
        "sections/one.tex": b"First words. % not these",
        "two.tex": b"Second\nwords. \\input{two}",
        "../etc/passwd": b"root",
        "style.sty": b"\\def\\x{y}",
        "._main.tex": b"\\documentclass{x}\\begin{document}",
    }
    paper = read_paper(files, 10**6)
    assert paper
    assert paper.text == EXPECTED.replace("\n", " ")
    assert (paper.title, paper.refused, paper.missing) == ("On GristNet", 3, 2)


def test_macros_that_grow_are_bounded() -> None:
    laughs = "".join(f"\\newcommand{{\\{chr(98 + at)}}}{{" + f"\\{chr(97 + at)}" * 10 + "}" for at in range(12))
    source = "\\documentclass{a}\\newcommand{\\a}{ha}" + laughs + "\\begin{document}Before \\m after \\begin{document}\\end{document}"
    paper = read_paper({"a.tex": source.encode()}, 10**6)
    assert paper
    assert paper.bounded
    assert paper.text.startswith("Before")
    assert len(paper.text) < 10**6
    endless = read_paper({"a.tex": rb"\documentclass{a}\def\x{y\x}\begin{document}\x\end{document}"}, 10**6)
    assert endless
    assert endless.text.startswith("y")


def test_no_tex() -> None:
    assert read_paper({"a.html": b"<p>x", "b.txt": b"words"}, 10**6) is None


@given(st.text("\\{}[]$%&~-`'\"()#1 \nabcbeginendsectioninputverb", max_size=200))
def test_nothing_raises(source: str) -> None:
    body_text(source)
    read_paper({"a.tex": b"\\documentclass{a}\\begin{document}" + source.encode(), "b.tex": source.encode()}, 10**5)


@pytest.mark.parametrize(
    "unit",
    ["{", "$", "$x", "\\begin{a}", "\\begin{figure}", "\\(", "\\item", "\\cite[", "\\'", "\\verb|", "%", "\\def\\a{", "(", "\\section{"],
)
def test_what_is_never_closed(unit: str) -> None:
    """50,000 of each: what is quadratic in them would take longer than the whole suite."""
    assert body_text("Before.\n\n" + unit * 50_000).startswith("Before.")
