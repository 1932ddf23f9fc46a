"""The Triton kernels: a matrix product that never writes its scores, and exact float64 scores of single pairs.

A tile of the product is M queries x N documents, N = 256. Its columns form four bins of N / 4 = 64: column c belongs to
bin c // 2 % 4 and has position c // 8 * 2 + c % 2 there. A tensor core spreads its accumulator over threads just so
(columns 8i + 2t and 8i + 2t + 1 of a row lie in thread t of four): each thread holds one whole bin of each of its rows,
and reduces it in registers. `launch` calls these; `layout` says which document stands in which column.
"""
# ruff: noqa: ANN001, ANN201, ANN202, N803, PLR0917 - Triton traces its own types; M, N, K are the names of a product
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from oreline.search.fused import layout

NOTHING = tl.constexpr(layout.NOTHING)


@triton.jit
def _halves(values):
    halves = tl.reshape(values, (values.shape[0], 2, values.shape[1] // 2, values.shape[2]))
    return tl.split(tl.permute(halves, (0, 2, 3, 1)))


@triton.jit
def _store_two_best(packed, best_at, second_at, mask, LEVELS: tl.constexpr):
    """Stores the two largest of each bin; `packed` is M x N / 8 x 4 x 2, bins along its third axis."""
    even, odd = tl.split(packed)
    best, second = tl.maximum(even, odd), tl.minimum(even, odd)
    # Halving by hand, as a reduction of two values at once has no fast path in Triton's interpreter; the machine code
    # is the same: three instructions per score, all of them within one thread.
    for _ in tl.static_range(LEVELS):
        best, other_best = _halves(best)
        second, other_second = _halves(second)
        second = tl.maximum(tl.minimum(best, other_best), tl.maximum(second, other_second))
        best = tl.maximum(best, other_best)
    tl.store(best_at, tl.reshape(best, best_at.shape), mask=mask)
    tl.store(second_at, tl.reshape(second, best_at.shape), mask=mask)


@triton.jit
def _store_counts(packed, low_at, high_at, counts, target, bins, n_bins, mine, N: tl.constexpr):
    """Stores, for one target of each query, how many scores of each bin are surely above it, and how many may be."""
    above = tl.load(high_at, mask=mine, other=0.0)[:, None, None, None]
    least = tl.load(low_at, mask=mine, other=0.0)[:, None, None, None]
    once = (packed.to(tl.int32, bitcast=True) & (N // 4 - 1)) * 128 + 1
    worth = tl.where(packed > above, 1 << 18, tl.where(packed >= least, once, 0))
    even, odd = tl.split(worth)
    at = target.to(tl.int64)[:, None] * n_bins + bins[None, :]
    tl.store(counts + at, tl.sum(even + odd, axis=1), mask=mine[:, None] & (bins < n_bins)[None, :])


@triton.jit(do_not_specialize=["rows", "n_tiles", "n_documents", "group", "n_bins"])
def bins_kernel(
    queries,
    documents,
    best,
    second,
    best_below,
    second_below,
    limits,
    first_target,
    n_targets,
    low,
    high,
    counts,
    rows,
    n_tiles,
    n_documents,
    pitch,
    group,
    n_bins,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    LEVELS: tl.constexpr,
    PROGRAMS: tl.constexpr,
    ALL: tl.constexpr,
    BELOW: tl.constexpr,
    TARGETS: tl.constexpr,
    DESCRIBED: tl.constexpr,
):
    """Scores all documents for all queries and stores, per query and bin, what its flags ask for.

    ALL: the two best scores. BELOW: the two best of those up to the query's limit. TARGETS: for each of up to that many
    targets of a query, 2**18 x (scores above `high`) + 2**7 x (sum of positions of scores from `low` to `high`) + their
    number. All scores are packed: their lowest bits are the position in the bin. DESCRIBED: `queries` and `documents`
    are tensor descriptors (copied by the tensor memory accelerator), else pointers to rows of `pitch` numbers.
    Persistent: PROGRAMS programs take tiles in turn, `group` row tiles share each tile of documents, and (flattened) a
    tile's first loads run during the previous tile's reduction.
    """
    row_tiles = tl.cdiv(rows, M)
    per_group = group * n_tiles
    columns = tl.arange(0, N)
    position = (columns // 8) * 2 + columns % 2
    for tile in tl.range(tl.program_id(0), row_tiles * n_tiles, PROGRAMS, flatten=DESCRIBED):
        first_row_tile = (tile // per_group) * group
        size = tl.minimum(row_tiles - first_row_tile, group)
        row_tile = first_row_tile + (tile % per_group) % size
        document_tile = (tile % per_group) // size
        row = row_tile * M + tl.arange(0, M)
        scores = tl.zeros((M, N), dtype=tl.float32)
        for step in range(tl.cdiv(pitch, K)):
            if DESCRIBED:
                left = queries.load([row_tile * M, step * K])
                right = documents.load([document_tile * N, step * K])
            else:
                place = step * K + tl.arange(0, K)
                inside = (place < pitch)[None, :]
                left_at = queries + (tl.minimum(row, rows - 1).to(tl.int64) * pitch)[:, None] + place[None, :]
                right_at = documents + ((document_tile * N + columns).to(tl.int64) * pitch)[:, None] + place[None, :]
                left = tl.load(left_at, mask=inside, other=0.0)
                right = tl.load(right_at, mask=inside, other=0.0)
            scores = tl.dot(left, right.T, scores)
        real = (n_documents - document_tile + n_tiles - 1) // n_tiles
        if real < N:
            scores = tl.where((columns < real)[None, :], scores, NOTHING)
        # From here on there are packed scores only: with both kinds alive the registers would not suffice.
        bits = (scores.to(tl.int32, bitcast=True) & (-(N // 4))) | position[None, :]
        packed = tl.reshape(bits.to(tl.float32, bitcast=True), (M, N // 8, 4, 2))
        bins = document_tile * 4 + tl.arange(0, 4)
        at = row.to(tl.int64)[:, None] * n_bins + bins[None, :]
        mask = (row < rows)[:, None] & (bins < n_bins)[None, :]
        if ALL:
            _store_two_best(packed, best + at, second + at, mask, LEVELS)
        if BELOW:
            limit = tl.load(limits + row, mask=row < rows, other=0.0)[:, None, None, None]
            limited = tl.where(packed <= limit, packed, NOTHING)
            _store_two_best(limited, best_below + at, second_below + at, mask, LEVELS)
        if TARGETS:
            first = tl.load(first_target + row, mask=row < rows, other=0)
            number = tl.load(n_targets + row, mask=row < rows, other=0)
            for turn in tl.static_range(TARGETS):
                mine = turn < number
                target = tl.where(mine, first + turn, 0)
                _store_counts(packed, low + target, high + target, counts, target, bins, n_bins, mine, N)


@triton.jit(do_not_specialize=["number"])
def pairs_kernel(
    queries,
    documents,
    rows,
    slots,
    scores,
    number,
    pitch,
    P: tl.constexpr,
    K: tl.constexpr,
):
    """Stores the exact score of each pair (row of `queries`, row of `documents`).

    A product of two float16 numbers is exact in float32, and the sum of these in float64 (see `search.scores`).
    """
    pair = tl.program_id(0).to(tl.int64) * P + tl.arange(0, P)
    mine = pair < number
    left_at = queries + tl.load(rows + pair, mask=mine, other=0) * pitch
    right_at = documents + tl.load(slots + pair, mask=mine, other=0) * pitch
    total = tl.zeros((P, K), dtype=tl.float64)
    for start in range(0, pitch, K):
        place = start + tl.arange(0, K)
        inside = (place < pitch)[None, :]
        left = tl.load(left_at[:, None] + place[None, :], mask=inside, other=0.0).to(tl.float32)
        right = tl.load(right_at[:, None] + place[None, :], mask=inside, other=0.0).to(tl.float32)
        total += (left * right).to(tl.float64)
    tl.store(scores + pair, tl.sum(total, axis=1), mask=mine)
