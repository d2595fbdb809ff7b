#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

internal import LinearAlgebra
internal import Machine
internal import SIMDKernels

/// The gradients of causal attention of the tokens of a sequence, from its first on, to each other.
///
/// The weights are computed again, block by block, so that memory grows with the tokens and not with their
/// square (Dao and others 2022, algorithm 4). Everything is float32.
struct AttentionGradient {
    let shape: AttentionShape

    /// What attention was given, and what it gave: `[tokens, heads · width]` each, keys and values with the
    /// key-value heads.
    struct Pass {
        var queries: [Float]
        var keys: [Float]
        var values: [Float]
        var outputs: [Float]
    }

    /// Gradients in what attention was given.
    struct Gradients {
        var queries: [Float]
        var keys: [Float]
        var values: [Float]
    }

    /// Queries of a block, and its keys.
    private static let queryBlock = 32
    private static let keyBlock = 128

    /// Computes the gradients.
    /// - Parameters:
    ///   - doutputs: gradients in the outputs.
    ///   - pass: what there was.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Returns: as many numbers as there were.
    func gradients(_ doutputs: [Float], of pass: Pass, on workers: WorkerPool) -> Gradients {
        let groups = shape.keyValueHeadCount
        let heads = workers.map(groups) { group, _ in head(group, doutputs, pass) }
        var result = Gradients(
            queries: [Float](repeating: 0, count: pass.queries.count),
            keys: [Float](repeating: 0, count: pass.keys.count),
            values: [Float](repeating: 0, count: pass.values.count)
        )
        let width = shape.headCount / groups * shape.width
        for (group, head) in heads.enumerated() {
            Self.scatter(head.queries, width, to: &result.queries, group, groups)
            Self.scatter(head.keys, shape.width, to: &result.keys, group, groups)
            Self.scatter(head.values, shape.width, to: &result.values, group, groups)
        }
        return result
    }

    /// The channels of a part of the heads.
    private static func gather(
        _ x: [Float],
        _ width: Int,
        _ part: Int,
        _ partCount: Int
    ) -> [Float] {
        var gathered: [Float] = []
        gathered.reserveCapacity(x.count / partCount)
        for start in stride(from: part * width, to: x.count, by: partCount * width) {
            gathered += x[start..<start + width]
        }
        return gathered
    }

    private static func scatter(
        _ part: [Float],
        _ width: Int,
        to x: inout [Float],
        _ index: Int,
        _ partCount: Int
    ) {
        for (row, start) in stride(from: index * width, to: x.count, by: partCount * width)
            .enumerated()
        {
            x.replaceSubrange(start..<start + width, with: part[row * width..<(row + 1) * width])
        }
    }

    /// The gradients of a key-value head and of the query heads that share it.
    private func head(_ group: Int, _ doutputs: [Float], _ pass: Pass) -> Gradients {
        let groups = shape.keyValueHeadCount
        let (width, heads) = (shape.width, shape.headCount / groups)
        let tokenCount = pass.keys.count / shape.keyWidth
        // Rows of queries are the heads of one token, then those of the next.
        let queries = Self.gather(pass.queries, heads * width, group, groups)
        let outputs = Self.gather(pass.outputs, heads * width, group, groups)
        let doutputs = Self.gather(doutputs, heads * width, group, groups)
        let keys = Self.gather(pass.keys, width, group, groups)
        let values = Self.gather(pass.values, width, group, groups)
        var result = Gradients(
            queries: [Float](repeating: 0, count: queries.count),
            keys: [Float](repeating: 0, count: keys.count),
            values: [Float](repeating: 0, count: values.count)
        )
        for first in stride(from: 0, to: tokenCount, by: Self.queryBlock) {
            let tokens = first..<min(first + Self.queryBlock, tokenCount)
            let place = tokens.lowerBound * heads * width..<tokens.upperBound * heads * width
            let block = QueryBlock(
                tokens: tokens,
                heads: heads,
                queries: Array(queries[place]),
                doutputs: Array(doutputs[place]),
                alongOutputs: (0..<tokens.count * heads).map { row in
                    (place.lowerBound + row * width..<place.lowerBound + (row + 1) * width)
                        .reduce(0) { $0 + doutputs[$1] * outputs[$1] }
                }
            )
            let start = shape.window.map { max(0, tokens.lowerBound + 1 - $0) } ?? 0
            let blocks = stride(from: start, to: tokens.upperBound, by: Self.keyBlock).map {
                $0..<min($0 + Self.keyBlock, tokens.upperBound)
            }
            let logSums = logSums(block, keys, blocks)
            var dqueries = [Float](repeating: 0, count: place.count)
            for own in blocks {
                add(block, own, logSums, keys, values, to: &dqueries, &result)
            }
            result.queries.replaceSubrange(place, with: dqueries)
        }
        return result
    }

    /// Some tokens and the rows of their heads.
    private struct QueryBlock {
        let tokens: Range<Int>
        let heads: Int
        let queries: [Float]
        let doutputs: [Float]
        /// `Σ dO ⊙ O` of each row.
        let alongOutputs: [Float]

        var rowCount: Int { tokens.count * heads }
    }

    /// The keys of a block that a row sees, counted from the block's first.
    private func seen(_ block: QueryBlock, _ row: Int, _ keys: Range<Int>) -> Range<Int> {
        let position = block.tokens.lowerBound + row / block.heads
        let first = max(shape.window.map { position + 1 - $0 } ?? 0, keys.lowerBound)
        let end = min(position + 1, keys.upperBound)
        return first < end ? first - keys.lowerBound..<end - keys.lowerBound : 0..<0
    }

    private func scores(_ block: QueryBlock, _ keys: [Float], _ own: Range<Int>) -> [Float] {
        product(block.queries, part(keys, own), block.rowCount, own.count, scale: shape.scale)
    }

    private func part(_ x: [Float], _ tokens: Range<Int>) -> [Float] {
        Array(x[tokens.lowerBound * shape.width..<tokens.upperBound * shape.width])
    }

    /// Returns `scale · A · Bᵀ`, sums over channels.
    private func product(
        _ a: [Float],
        _ b: [Float],
        _ rowCount: Int,
        _ columnCount: Int,
        scale: Float = 1
    ) -> [Float] {
        var result = [Float](repeating: 0, count: rowCount * columnCount)
        let sizes = ProductShape(
            rowCount: rowCount,
            columnCount: columnCount,
            innerCount: shape.width,
            transposesB: true
        )
        multiply(a, b, into: &result, sizes, scale: scale)
        return result
    }

    private func multiply(
        _ a: [Float],
        _ b: [Float],
        into c: inout [Float],
        _ sizes: ProductShape,
        scale: Float = 1,
        accumulates: Bool = false
    ) {
        a.withFloatSpan { a in
            b.withFloatSpan { b in
                c.withMutableFloatSpan {
                    BLAS.multiply(
                        a,
                        b,
                        into: &$0,
                        shape: sizes,
                        scale: scale,
                        accumulates: accumulates,
                        on: .single
                    )
                }
            }
        }
    }

    /// The logarithms of the sums of exponentials of all scores of each row.
    private func logSums(
        _ block: QueryBlock,
        _ keys: [Float],
        _ blocks: [Range<Int>]
    ) -> [Float] {
        var maxima = [Float](repeating: -.infinity, count: block.rowCount)
        var sums = [Double](repeating: 0, count: block.rowCount)
        for own in blocks {
            var scores = scores(block, keys, own)
            for row in 0..<block.rowCount {
                let seen = seen(block, row, own)
                guard !seen.isEmpty else { continue }
                let (maximum, sum) = scores.withMutableFloatSpan { scores in
                    var part = scores._mutatingExtracting(shifted(seen, row * own.count))
                    return TransformerKernel.selected.exponentials(&part)
                }
                let largest = max(maxima[row], maximum)
                sums[row] =
                    sums[row] * Double(expf(maxima[row] - largest)) + sum
                    * Double(expf(maximum - largest))
                maxima[row] = largest
            }
        }
        return zip(maxima, sums).map { $0 + Float(log($1)) }
    }

    private func shifted(_ range: Range<Int>, _ distance: Int) -> Range<Int> {
        range.lowerBound + distance..<range.upperBound + distance
    }

    /// Adds what a block of queries and one of keys have: with weights `P`, `dV += Pᵀ dO`,
    /// `dS = P ⊙ (dO Vᵀ - Σ dO ⊙ O)`, `dQ += scale · dS K`, `dK += scale · dSᵀ Q`.
    private func add(
        _ block: QueryBlock,
        _ own: Range<Int>,
        _ logSums: [Float],
        _ keys: [Float],
        _ values: [Float],
        to dqueries: inout [Float],
        _ result: inout Gradients
    ) {
        let (rows, count, width) = (block.rowCount, own.count, shape.width)
        var weights = scores(block, keys, own)
        var slopes = product(block.doutputs, part(values, own), rows, count)
        for row in 0..<rows {
            let seen = seen(block, row, own)
            let all = row * count..<(row + 1) * count
            weights.withMutableFloatSpan { weights in
                var part = weights._mutatingExtracting(shifted(seen, all.lowerBound))
                _ = TransformerKernel.selected.exponentials(&part, below: logSums[row])
            }
            let along = block.alongOutputs[row]
            for place in all {
                if seen.contains(place - all.lowerBound) {
                    slopes[place] = weights[place] * (slopes[place] - along)
                } else {
                    (weights[place], slopes[place]) = (0, 0)
                }
            }
        }
        let place = own.lowerBound * width..<own.upperBound * width
        let back = ProductShape(
            rowCount: count,
            columnCount: width,
            innerCount: rows,
            transposesA: true
        )
        var dvalues = Array(result.values[place])
        multiply(weights, block.doutputs, into: &dvalues, back, accumulates: true)
        result.values.replaceSubrange(place, with: dvalues)
        var dkeys = Array(result.keys[place])
        multiply(slopes, block.queries, into: &dkeys, back, scale: shape.scale, accumulates: true)
        result.keys.replaceSubrange(place, with: dkeys)
        let forwards = ProductShape(rowCount: rows, columnCount: width, innerCount: count)
        multiply(
            slopes,
            part(keys, own),
            into: &dqueries,
            forwards,
            scale: shape.scale,
            accumulates: true
        )
    }
}
