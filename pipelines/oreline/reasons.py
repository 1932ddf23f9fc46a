"""The fixed codes of rejects, each with the sentence that reports print."""

UNANSWERED = "no_answer"
"""The one reason that another run may take away: the provider was out of reach."""

REASONS: dict[str, str] = {
    # ingest
    "unreadable": "the row or file cannot be parsed",
    "missing_column": "a column that the recipe names is missing or has the wrong type",
    "empty": "there is no text",
    "too_long": "the document is longer than the source's max_tokens and is not chunked",
    "conflicting_id": "one id stands for different texts",
    "unknown_query": "a judgement, or a line of mine.runs, names a query that is not there",
    "unknown_document": "a judgement, or a line of mine.runs, names a document that is not there or was rejected",
    "no_judgement": "a query has no judgement in the splits that are read",
    # dedup
    "exact_duplicate": "title and text equal another document's after normalisation",
    "near_duplicate": "word n-grams overlap another document's by the threshold or more",
    # dedup, filter
    "contaminated": "the row matches a benchmark of decontaminate.against",
    # synthesize, filter, judge
    "refused": "the model refused to answer",
    "blocked": "the provider blocked prompt or answer",
    "truncated": "the answer was cut off at its longest length",
    "unparsable": "the answer does not follow its schema",
    UNANSWERED: "the provider gave no answer although it was asked again",
    "not_taken": "the provider does not take the request",
    "nothing_to_extract": "the document has no title or sentence that a writer could take",
    "not_distinct": "texts of a written row are equal to each other, or to those of another row",
    "no_class_fellow": "no other text of its class stands beside it",
    "no_connection": "the model found no query that needs both documents (retrieval/multi_hop)",
    "not_multi_hop": "the query needs one of its two documents alone, or more than both (retrieval/multi_hop)",
    "too_few_words": "the query has fewer words than filter.min_words",
    "too_many_words": "the query has more words than filter.max_words",
    "other_language": "the query is in another language or script than its writer was to write",
    "repeated_characters": "one character or word makes up most of the query",
    "verbatim_copy": "the query is copied from its document",
    "duplicate_query": "the query is a near-duplicate of another (filter.near_queries)",
    "duplicate_pair": "query and positive are near-duplicates of another pair (filter.near_pairs)",
    "over_document_cap": "the document has more positive pairs than filter.caps.per_document",
    "over_paragraph_cap": "the text has more positive pairs than filter.caps.per_paragraph",
    "in_other_split": "an equal query stands in an evaluation split",
    "low_rate": "the rater found that nobody would type this",
    "low_rating": "the rater's grade lies below its source's quantile (filter.gates.rating)",
    "low_logprob": "its writer found the query unlikely, by the log-probability of its tokens (filter.gates.logprob)",
    "unsafe": "the query is adult, hateful, dangerous or about a private person",
    "wrong_positive": "a human-annotated positive does not serve its query (filter.quality)",
    "wrong_negative": "a human-annotated negative serves its query (filter.quality)",
    # judge
    "not_scored": "the cross-encoder gave no score that is a number",
    # embed
    "not_encodable": "the encoder cannot take the text",
    # mine: lines of mine.runs
    "ambiguous_id": "several datasets have the id, and none is named",
    "repeated_line": "another line holds the same query and document, with a better score or earlier",
    "no_score": "the score or rank is not a finite number",
    # select
    "no_positive": "the query has no positive document left",
    "not_mined": "mining has no score to select by: the query or its positives have no vector",
    "failed_round_trip": "the query's own encoder does not find its positive again",
    "low_grade": "the judge graded the positive too low",
    "no_relevant_passage": "the judge found no relevant document",
    "false_negatives": "the judge found more further relevant documents than select.false_negatives allows",
    "low_score": "the positive's score lies below its source's quantile (select.gates.score_quantile)",
    "near_query": "the query's vector is nearly that of a query whose row stays (select.near_queries)",
    "short_row": "fewer negatives than asked for, and select.shortage is drop",
    # export
    "format_cannot_hold": "the trainer's format has no place for the row",
}
