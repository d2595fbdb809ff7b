internal import CSIMDKernels

// Gradients of the functions between products.
extension TransformerKernel {
    /// Adds the gradients of `normalize`: `dx += r (w ⊙ dy - x r² mean(w ⊙ dy ⊙ x))` with
    /// `r = 1 / √(mean(x²) + ε)`, and `dw += Σ dy ⊙ x r` over the rows.
    /// - Parameters:
    ///   - dy: gradients in the outputs, rows of as many numbers as the weight has.
    ///   - x: what was normalized.
    ///   - weight: a factor for each column.
    ///   - epsilon: added to the mean.
    ///   - dx: gradients in `x`, added to.
    ///   - dweight: gradients in the weight, added to; none if it is empty.
    package func addNormGradient(
        _ dy: Span<Float>,
        of x: Span<Float>,
        weight: [Float],
        epsilon: Float,
        to dx: inout MutableSpan<Float>,
        _ dweight: inout [Float]
    ) {
        let width = weight.count
        precondition(
            width > 0 && x.count % width == 0 && dy.count == x.count && dx.count == x.count
                && (dweight.isEmpty || dweight.count == width),
            "\(dy.count) gradients of \(x.count) numbers in rows of \(width)"
        )
        unsafe dy.withUnsafeBufferPointer { dy in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe dx.withUnsafeMutableBufferPointer { dx in
                    unsafe weight.withUnsafeBufferPointer { weight in
                        unsafe dweight.withUnsafeMutableBufferPointer { dweight in
                            unsafe functions.rms_norm_backward(
                                x.baseAddress,
                                weight.baseAddress,
                                dy.baseAddress,
                                x.count / width,
                                width,
                                epsilon,
                                dx.baseAddress,
                                dweight.isEmpty ? nil : dweight.baseAddress
                            )
                        }
                    }
                }
            }
        }
    }

    /// Computes the gradients of `gateSiLU`.
    /// - Parameters:
    ///   - dy: gradients in the results.
    ///   - gateAndUp: what it was given: as many gates, and behind them as many numbers `up`.
    ///   - gradients: receives those in the gates, and behind them those in `up`.
    package func gateSiLUGradient(
        _ dy: Span<Float>,
        of gateAndUp: Span<Float>,
        into gradients: inout MutableSpan<Float>
    ) {
        let count = dy.count
        precondition(
            gateAndUp.count == 2 * count && gradients.count == 2 * count,
            "\(count) gradients of \(gateAndUp.count) numbers"
        )
        unsafe dy.withUnsafeBufferPointer { dy in
            unsafe gateAndUp.withUnsafeBufferPointer { given in
                unsafe gradients.withUnsafeMutableBufferPointer { gradients in
                    unsafe functions.gate_silu_backward(
                        given.baseAddress,
                        given.baseAddress?.advanced(by: count),
                        dy.baseAddress,
                        count,
                        gradients.baseAddress,
                        gradients.baseAddress?.advanced(by: count)
                    )
                }
            }
        }
    }

    /// Replaces each number by `e` to the power of its difference to another.
    /// - Returns: the sum of the results.
    package func exponentials(_ x: inout MutableSpan<Float>, below shift: Float) -> Double {
        unsafe x.withUnsafeMutableBufferPointer { x in
            unsafe functions.exponentials(x.baseAddress, x.count, shift)
        }
    }
}
