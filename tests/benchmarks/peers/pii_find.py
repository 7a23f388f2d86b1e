"""What a peer finds in texts, and the CPU time it takes; run in an environment of the peer's own (presidio.txt, dolma.txt, datatrove.txt).

python pii_find.py presidio < texts.jsonl > finds.jsonl

Each line in is a JSON string. Each line out is a list of [kind, start, end], the last line {"seconds": …}: CPU time of finding alone.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable

Find = Callable[[str], Iterable[tuple[str, int, int]]]


def presidio() -> Find:
    """All its patterns for English, on a blank pipeline: no model of names."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.recognizers = [each for each in registry.recognizers if each.name != "SpacyRecognizer"]
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    kinds = {
        "CREDIT_CARD": "card", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "US_SSN": "national_id",
        "US_ITIN": "national_id", "UK_NHS": "national_id", "IP_ADDRESS": "ip", "US_DRIVER_LICENSE": "driving_licence",
        "US_PASSPORT": "passport", "MAC_ADDRESS": "mac",
    }  # fmt: skip

    def find(text: str) -> Iterable[tuple[str, int, int]]:
        # 0.3: a bare pattern of the licence and the bank account scores 0.01 to 0.05, and would only cost it precision
        for each in engine.analyze(text=text, language="en", score_threshold=0.3):
            if each.entity_type in kinds:
                yield kinds[each.entity_type], each.start, each.end

    return find


def dolma() -> Find:
    from dolma.core.data_types import Document
    from dolma.taggers.pii import FastPiiRegex

    tagger = FastPiiRegex()
    kinds = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip"}

    def find(text: str) -> Iterable[tuple[str, int, int]]:
        for span in tagger.predict(Document(source="", version="", id="", text=text)).spans:
            if span.type in kinds:
                yield kinds[span.type], span.start, span.end

    return find


def datatrove() -> Find:
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()

    def find(text: str) -> Iterable[tuple[str, int, int]]:
        for kind, replacer in (("email", formatter.emails_replacer), ("ip", formatter.ip_replacer)):
            for found in replacer.regex.finditer(text):
                if not replacer.validator or replacer.validator(found.group()):
                    yield kind, found.start(), found.end()

    return find


if __name__ == "__main__":
    search = {"presidio": presidio, "dolma": dolma, "datatrove": datatrove}[sys.argv[1]]()
    texts = [json.loads(line) for line in sys.stdin]
    for text in texts[:5]:
        list(search(text))
    started = time.process_time()
    finds = [list(search(text)) for text in texts]
    seconds = time.process_time() - started
    for each in finds:
        print(json.dumps(each))
    print(json.dumps({"seconds": seconds}))
