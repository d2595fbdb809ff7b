internal import CSIMDKernels
package import Machine

/// The functions between the products of a transformer, on float32.
///
/// Variants differ by the order of sums; each result is the same for any number of threads.
@safe
package struct TransformerKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: functions of a C table.
    let functions: qk_transformer_functions

    package static let compiled = unsafe compiledEntries(qk_transformer_entries) { entry in
        guard let functions = unsafe entry.function() else {
            preconditionFailure("a variant without functions")
        }
        return unsafe Self(variant: KernelVariant(entry.variant), functions: functions.pointee)
    }
    package static let selected = preferred()

    /// Normalizes rows: `y = x / √(mean(x²) + ε) ⊙ w` (Zhang & Sennrich 2019, equation 4).
    /// - Parameters:
    ///   - x: rows of as many numbers as the weight has.
    ///   - weight: a factor for each column.
    ///   - epsilon: added to the mean.
    ///   - y: receives as many numbers.
    package func normalize(
        _ x: Span<Float>,
        weight: [Float],
        epsilon: Float,
        into y: inout MutableSpan<Float>
    ) {
        let width = weight.count
        precondition(
            width > 0 && x.count % width == 0 && y.count == x.count,
            "\(x.count) and \(y.count) numbers in rows of \(width)"
        )
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                unsafe weight.withUnsafeBufferPointer { weight in
                    unsafe functions.rms_norm(
                        x.baseAddress,
                        weight.baseAddress,
                        x.count / width,
                        width,
                        epsilon,
                        y.baseAddress
                    )
                }
            }
        }
    }

    /// Normalizes rows in place.
    package func normalize(_ x: inout MutableSpan<Float>, weight: [Float], epsilon: Float) {
        let width = weight.count
        precondition(width > 0 && x.count % width == 0, "\(x.count) numbers in rows of \(width)")
        unsafe x.withUnsafeMutableBufferPointer { x in
            unsafe weight.withUnsafeBufferPointer { weight in
                unsafe functions.rms_norm(
                    x.baseAddress,
                    weight.baseAddress,
                    x.count / width,
                    width,
                    epsilon,
                    x.baseAddress
                )
            }
        }
    }

    /// Rotates the pairs `(x[i], x[i + half])` of every head (Su and others 2021, equation 34, in the
    /// order of Hugging Face).
    /// - Parameters:
    ///   - x: rows of heads of `width` channels.
    ///   - width: the channels of a head, of which the first `2 · half` are rotated.
    ///   - half: the pairs of a head.
    ///   - cosines: of the angles; `half` numbers for each row.
    ///   - sines: of the same angles.
    package func rotate(
        _ x: inout MutableSpan<Float>,
        width: Int,
        half: Int,
        cosines: ArraySlice<Float>,
        sines: ArraySlice<Float>
    ) {
        guard half > 0, !cosines.isEmpty else { return }
        let rows = cosines.count / half
        precondition(
            2 * half <= width && cosines.count == rows * half && sines.count == rows * half
                && x.count % (rows * width) == 0,
            "\(x.count) numbers in \(rows) rows of heads of \(width) with \(half) angles"
        )
        unsafe x.withUnsafeMutableBufferPointer { x in
            unsafe cosines.withUnsafeBufferPointer { cosines in
                unsafe sines.withUnsafeBufferPointer { sines in
                    unsafe functions.rotate(
                        x.baseAddress,
                        rows,
                        x.count / (rows * width),
                        width,
                        half,
                        cosines.baseAddress,
                        sines.baseAddress
                    )
                }
            }
        }
    }

    /// Computes `gate = silu(gate) ⊙ up` with `silu(g) = g / (1 + e⁻ᵍ)` (Shazeer 2020, equation 5).
    /// - Parameters:
    ///   - gateAndUp: the gates, which become the results, and behind them as many numbers `up`.
    ///   - workers: the threads.
    package func gateSiLU(_ gateAndUp: inout MutableSpan<Float>, on workers: WorkerPool) {
        let count = gateAndUp.count / 2
        precondition(gateAndUp.count == 2 * count, "\(gateAndUp.count) numbers in two halves")
        let tile = Self.elementsOfTile
        unsafe gateAndUp.withUnsafeMutableBufferPointer { numbers in
            // Every tile writes its own gates, and the other half is only read.
            nonisolated(unsafe) let gate = numbers.baseAddress
            workers.perform((count + tile - 1) / tile) { index, _ in
                let own = unsafe gate?.advanced(by: index * tile)
                unsafe functions.gate_silu(
                    own,
                    own?.advanced(by: count),
                    min(tile, count - index * tile)
                )
            }
        }
    }

    private static let elementsOfTile = 1 << 14

    /// Replaces each number by `e` to the power of its difference to the largest.
    /// - Returns: the largest, and the sum of the results.
    /// - Precondition: there is a number.
    package func exponentials(_ x: inout MutableSpan<Float>) -> (maximum: Float, sum: Double) {
        precondition(x.count > 0, "no numbers")
        return unsafe x.withUnsafeMutableBufferPointer { x in
            let maximum = unsafe functions.maximum(x.baseAddress, x.count)
            return (maximum, unsafe functions.exponentials(x.baseAddress, x.count, maximum))
        }
    }
}
