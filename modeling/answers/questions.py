"""Questions of a file of JSON lines, ours or those that GSM8K, HumanEval and CNN/DailyMail are published as; what is said to the model.

    asked = read_questions(Path("gsm8k.jsonl"), "gsm8k")
    prompted(asked.questions, 5, seed=0)[0]        # "Question: …\\nAnswer: …\\n\\n … Question: …\\nAnswer:"

What an item holds, and what it is asked with (``{answer}`` stands in shots alone):

* ``{"prompt": "…", "answer": "…"}``, or several answers in a list: ``{prompt} {answer}``.
* ``{"question", "answer"}``, GSM8K's (Cobbe et al. 2021): ``Question: {question}\\nAnswer: {answer}``.
* ``{"article", "highlights"}``, CNN/DailyMail's (See et al. 2017): ``{article}\\nTL;DR: {highlights}`` (Radford et al. 2019, 3.6).
* ``{"task_id", "prompt", "test", "entry_point"}``, HumanEval's (Chen et al. 2021): ``{prompt}`` as it stands.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from corpus.errors import InputError
from corpus.hashing import rank
from modeling.answers.metrics import final_number
from modeling.records import records

Metric = Literal["exact", "f1", "bleu", "chrf", "rouge", "gsm8k", "humaneval"]
METRICS: tuple[Metric, ...] = ("exact", "f1", "bleu", "chrf", "rouge", "gsm8k", "humaneval")
_BETWEEN = "\n\n"
_HINT = 'each line is {"prompt": "…", "answer": "…"}'
_HUMANEVAL_HINT = 'each line is {"task_id": "…", "prompt": "…", "test": "…", "entry_point": "…"}'


@final
@dataclass(frozen=True, kw_only=True)
class Form:
    """How items of a kind are asked: the field of the question and of its answer, what stands between, and what ends an answer."""

    question: str
    answer: str
    before: str = ""
    between: str = " "
    stop: tuple[str, ...] = (_BETWEEN,)

    @property
    def template(self) -> str:
        return f"{self.before}{{{self.question}}}{self.between}" + (f"{{{self.answer}}}" if self.answer else "")


_PLAIN = Form(question="prompt", answer="answer")
_LINE = Form(question="prompt", answer="answer", stop=("\n",))  # a short answer ends with its line
_GSM8K = Form(question="question", answer="answer", before="Question: ", between="\nAnswer: ", stop=("Question:",))
_SUMMARY = Form(question="article", answer="highlights", between="\nTL;DR: ")
_PROGRAM = Form(  # stop strings: Chen et al. 2021, 2.1
    question="prompt", answer="", between="", stop=("\nclass", "\ndef", "\n#", "\nif", "\nprint")
)


@final
@dataclass(frozen=True, kw_only=True)
class Question:
    """``prompt``: what is said without shots; ``references``: its right answers; ``test``: what is run behind a program."""

    line: int
    name: str
    prompt: str
    references: tuple[str, ...] = ()
    separator: str = ""
    test: str = ""

    @property
    def solved(self) -> str:
        """The question with its first answer, as it stands among the shots of another."""
        return self.prompt + self.separator + self.references[0]


@final
@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions of a file, the form they have, and the SHA-256 of the file."""

    questions: tuple[Question, ...]
    form: Form
    digest: str


def read_questions(path: Path, metric: Metric) -> Asked:
    """Raises InputError naming file, line and field."""
    read = list(records(path))
    if not read:
        raise InputError("the task has no items", where=str(path), hint=_HUMANEVAL_HINT if metric == "humaneval" else _HINT)
    form = _form(metric, read[0][1])
    questions = tuple(_question(form, metric, line, record, f"{path}:{line}") for line, record in read)
    return Asked(questions=questions, form=form, digest=hashlib.sha256(path.read_bytes()).hexdigest())


def prompted(questions: Sequence[Question], shots: int, *, seed: int) -> list[str]:
    """What is said to the model for each question: ``shots`` others, solved, then itself.

    The others are the first in the order of a hash of seed and prompt, whatever their order in the file; none with its own prompt.
    Raises InputError where there are too few.
    """
    if not shots:
        return [question.prompt for question in questions]
    unlike = {question.prompt: question for question in reversed(questions)}
    ordered = sorted(unlike, key=lambda prompt: (rank(prompt, f"shots {seed}"), prompt))[: shots + 1]
    if len(ordered) <= shots:
        raise InputError(f"there are too few items for {shots} shots", where=f"{len(unlike):,} prompts", hint="fewer --shots")
    said = []
    for question in questions:
        chosen = [prompt for prompt in ordered if prompt != question.prompt][:shots]
        said.append("".join(unlike[prompt].solved + _BETWEEN for prompt in chosen) + question.prompt)
    return said


def _form(metric: Metric, first: Mapping[str, Any]) -> Form:
    if metric == "humaneval":
        return _PROGRAM
    if "prompt" not in first:
        found = [form for form in (_GSM8K, _SUMMARY) if form.question in first]
        if found:
            return found[0]
    return _LINE if metric in ("exact", "f1") else _PLAIN


def _question(form: Form, metric: Metric, line: int, record: Mapping[str, Any], where: str) -> Question:
    if form is _PROGRAM:
        name, prompt, test, entry = (_text(record, key, where, _HUMANEVAL_HINT) for key in ("task_id", "prompt", "test", "entry_point"))
        if not entry.isidentifier():
            raise InputError("entry_point is the name of a function", where=where, hint=f"not {entry!r}")
        return Question(line=line, name=name, prompt=prompt, test=f"{test}\ncheck({entry})\n")
    hint = f'each line is {{"{form.question}": "…", "{form.answer}": "…"}}'
    asked = _text(record, form.question, where, hint)
    prompt = form.before + asked + ("" if form.between == " " and asked[-1].isspace() else form.between)
    bare = prompt.rstrip(" ")  # a token begins with its space: a prompt that ends in one asks for what no text holds
    references = _references(record, form.answer, where, hint)
    if metric == "gsm8k" and final_number(references[0], marked=True) is None:
        raise InputError("the answer names no number behind ####", where=where, hint='GSM8K\'s answers end in "#### 18"')
    return Question(line=line, name=str(line), prompt=bare, references=references, separator=prompt[len(bare) :])


def _references(record: Mapping[str, Any], field: str, where: str, hint: str) -> tuple[str, ...]:
    found = record.get(field)
    if isinstance(found, list) and found and all(isinstance(each, str) and each.strip() for each in found):
        return tuple(found)
    if isinstance(found, list):
        raise InputError(f"{field} is a text, or a list of texts, none empty", where=where, hint=hint)
    return (_text(record, field, where, hint),)


def _text(record: Mapping[str, Any], field: str, where: str, hint: str) -> str:
    found = record.get(field)
    if not isinstance(found, str) or not found.strip():
        raise InputError(f"the item has no text {field!r}", where=where, hint=hint)
    return found
