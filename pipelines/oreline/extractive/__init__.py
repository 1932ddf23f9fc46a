"""Writers without a model: queries taken from a document's own words. Plain functions, no Beam."""
