"""Every key of a recipe: type, default, a sentence. `schemas/recipe.schema.json` mirrors this folder."""

from oreline.recipe.settings.base import OPERATIONAL, Count, CountOrZero, Settings, Share
from oreline.recipe.settings.beam import Beam, StageBeam
from oreline.recipe.settings.brainstorm import Brainstorm
from oreline.recipe.settings.ceiling import Ceiling, MarginCeiling, PercentCeiling, ScoreCeiling
from oreline.recipe.settings.classification import Classification, Labelled
from oreline.recipe.settings.code import Describe, Question
from oreline.recipe.settings.decontaminate import Benchmark, BenchmarkColumns, BenchmarkFormat, Decontaminate
from oreline.recipe.settings.dedup import Dedup
from oreline.recipe.settings.encoder import Encoder
from oreline.recipe.settings.export import Export
from oreline.recipe.settings.few_shot import Example, FewShot
from oreline.recipe.settings.filter import (
    Caps,
    Filter,
    FilterGates,
    LogprobGate,
    Nearness,
    PairNearness,
    Quality,
    QueryNearness,
    Rater,
    RatingGate,
    Safety,
    UniformTasks,
)
from oreline.recipe.settings.imported import Run, RunFormat
from oreline.recipe.settings.index import ApproximateIndex, CuvsCagra, FaissHnsw, FaissIvf, Index
from oreline.recipe.settings.judge import GRADING, STRONG, Cascade, CrossEncoder, Judge, Likelihood, Scorer
from oreline.recipe.settings.llm import HarmCategory, Llm, ModelSettings, Threshold, TokenPrice
from oreline.recipe.settings.mine import Bm25, Mine
from oreline.recipe.settings.multi_hop import MultiHop
from oreline.recipe.settings.persona import Persona
from oreline.recipe.settings.recipe import Recipe
from oreline.recipe.settings.select import (
    FalseNegatives,
    Gates,
    NearQueries,
    PerMiner,
    Relabel,
    RoundTrip,
    ScoreQuantile,
    Select,
)
from oreline.recipe.settings.source import Chunking, Columns, Source, SourceFormat
from oreline.recipe.settings.summarize import Summarize
from oreline.recipe.settings.synthesize import Synthesize

__all__ = [
    "GRADING",
    "OPERATIONAL",
    "STRONG",
    "ApproximateIndex",
    "Beam",
    "Benchmark",
    "BenchmarkColumns",
    "BenchmarkFormat",
    "Bm25",
    "Brainstorm",
    "Caps",
    "Cascade",
    "Ceiling",
    "Chunking",
    "Classification",
    "Columns",
    "Count",
    "CountOrZero",
    "CrossEncoder",
    "CuvsCagra",
    "Decontaminate",
    "Dedup",
    "Describe",
    "Encoder",
    "Example",
    "Export",
    "FaissHnsw",
    "FaissIvf",
    "FalseNegatives",
    "FewShot",
    "Filter",
    "FilterGates",
    "Gates",
    "HarmCategory",
    "Index",
    "Judge",
    "Labelled",
    "Likelihood",
    "Llm",
    "LogprobGate",
    "MarginCeiling",
    "Mine",
    "ModelSettings",
    "MultiHop",
    "NearQueries",
    "Nearness",
    "PairNearness",
    "PerMiner",
    "PercentCeiling",
    "Persona",
    "Quality",
    "QueryNearness",
    "Question",
    "Rater",
    "RatingGate",
    "Recipe",
    "Relabel",
    "RoundTrip",
    "Run",
    "RunFormat",
    "Safety",
    "ScoreCeiling",
    "ScoreQuantile",
    "Scorer",
    "Select",
    "Settings",
    "Share",
    "Source",
    "SourceFormat",
    "StageBeam",
    "Summarize",
    "Synthesize",
    "Threshold",
    "TokenPrice",
    "UniformTasks",
]
