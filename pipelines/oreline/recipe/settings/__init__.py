"""Every key of a recipe: type, default, a sentence. `schemas/recipe.schema.json` mirrors this folder."""

from oreline.recipe.settings.base import OPERATIONAL, Count, CountOrZero, Settings, Share
from oreline.recipe.settings.beam import Beam, StageBeam
from oreline.recipe.settings.ceiling import Ceiling, MarginCeiling, PercentCeiling, ScoreCeiling
from oreline.recipe.settings.decontaminate import Benchmark, BenchmarkColumns, BenchmarkFormat, Decontaminate
from oreline.recipe.settings.dedup import Dedup
from oreline.recipe.settings.encoder import Encoder
from oreline.recipe.settings.export import Export
from oreline.recipe.settings.filter import Caps, Filter, Nearness, PairNearness, QueryNearness, Rater
from oreline.recipe.settings.judge import Judge
from oreline.recipe.settings.llm import HarmCategory, Llm, ModelSettings, Threshold, TokenPrice
from oreline.recipe.settings.mine import Mine
from oreline.recipe.settings.recipe import Recipe
from oreline.recipe.settings.select import Gates, NearQueries, Relabel, RoundTrip, Select
from oreline.recipe.settings.source import Chunking, Columns, Source, SourceFormat
from oreline.recipe.settings.synthesize import Synthesize

__all__ = [
    "OPERATIONAL",
    "Beam",
    "Benchmark",
    "BenchmarkColumns",
    "BenchmarkFormat",
    "Caps",
    "Ceiling",
    "Chunking",
    "Columns",
    "Count",
    "CountOrZero",
    "Decontaminate",
    "Dedup",
    "Encoder",
    "Export",
    "Filter",
    "Gates",
    "HarmCategory",
    "Judge",
    "Llm",
    "MarginCeiling",
    "Mine",
    "ModelSettings",
    "NearQueries",
    "Nearness",
    "PairNearness",
    "PercentCeiling",
    "QueryNearness",
    "Rater",
    "Recipe",
    "Relabel",
    "RoundTrip",
    "ScoreCeiling",
    "Select",
    "Settings",
    "Share",
    "Source",
    "SourceFormat",
    "StageBeam",
    "Synthesize",
    "Threshold",
    "TokenPrice",
]
