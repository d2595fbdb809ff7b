public import CheckpointIO
public import Models
internal import SIMDKernels
public import Tensors

/// A convolution over one to three dimensions, and its adapters: a linear layer over patches.
///
/// `A` is a convolution of the base's kernel, stride, padding and dilation, `B` one of kernel 1. With
/// groups `A` sees all channels and `B` has the groups of the base; its matrix has zeros elsewhere, and so
/// has the base's. (PEFT hands neither dilation nor padding mode on to `A`.)
public struct LoRAConvolution: Sendable {
    /// The layer over patches; its adapters are those of the convolution.
    public var linear: LoRALinear
    /// The sizes.
    public let geometry: ConvolutionGeometry
    /// `in`, the channels of the inputs.
    public let channelCount: Int
    /// The groups of the base.
    public let groupCount: Int

    /// Wraps a convolution, without adapters as yet.
    /// - Parameters:
    ///   - weight: `[out, in / groups · kernel]`, flattened.
    ///   - bias: `out` numbers, or none.
    ///   - channelCount: `in`.
    ///   - groupCount: divides both `in` and `out`.
    ///   - geometry: the sizes.
    public init(
        _ weight: Matrix,
        bias: [Float]? = nil,
        channelCount: Int,
        groupCount: Int = 1,
        geometry: ConvolutionGeometry
    ) {
        precondition(
            groupCount > 0 && channelCount % groupCount == 0 && weight.rowCount % groupCount == 0
                && weight.columnCount == channelCount / groupCount * geometry.kernelCount,
            "a weight [\(weight.rowCount), \(weight.columnCount)] for \(channelCount) channels in "
                + "\(groupCount) groups and a kernel of \(geometry.kernel)"
        )
        let dense = Self.blocks(
            weight,
            columnCount: channelCount * geometry.kernelCount,
            groupCount: groupCount
        )
        linear = LoRALinear(Linear(DenseWeight(dense), bias: bias))
        self.channelCount = channelCount
        self.groupCount = groupCount
        self.geometry = geometry
    }

    /// Adds or replaces an adapter, which does not become active by that.
    /// - Parameters:
    ///   - name: of the adapter.
    ///   - adapter: `A` `[r, in · kernel]`, `B` `[out, r / groups]`, both flattened.
    /// - Precondition: the sizes fit, the rank is a multiple of the groups, and only a base without groups
    ///   has a magnitude: the norms of others are not those of a weight of the base's shape.
    public mutating func setAdapter(_ name: String, to adapter: LoRAAdapter) {
        guard groupCount > 1 else { return linear.setAdapter(name, to: adapter) }
        preconditionFailure("adapters of grouped convolutions are set by their factors")
    }

    /// Adds or replaces an adapter of a grouped convolution; see `setAdapter(_:to:)`.
    public mutating func setGroupedAdapter(
        _ name: String,
        a: Matrix,
        b: Matrix,
        bias: [Float]? = nil,
        scaling: Double,
        dropout: Double = 0
    ) {
        precondition(
            a.rowCount % groupCount == 0 && b.columnCount == a.rowCount / groupCount,
            "a rank of \(a.rowCount) in \(groupCount) groups, B has \(b.columnCount) columns"
        )
        let dense = Self.blocks(b, columnCount: a.rowCount, groupCount: groupCount)
        linear.setAdapter(
            name,
            to: LoRAAdapter(a: a, b: dense, bias: bias, scaling: scaling, dropout: dropout)
        )
    }

    /// The part of a gradient of `B` that belongs to its groups, `[out, r / groups]`.
    public func grouped(_ gradient: Matrix) -> Matrix {
        let width = gradient.columnCount / groupCount
        var result = Matrix(rowCount: gradient.rowCount, columnCount: width)
        for row in 0..<gradient.rowCount {
            let first = row * groupCount / gradient.rowCount * width
            for column in 0..<width { result[row, column] = gradient[row, first + column] }
        }
        return result
    }

    /// Rows of all columns from rows of their group's: zeros elsewhere.
    private static func blocks(_ matrix: Matrix, columnCount: Int, groupCount: Int) -> Matrix {
        var result = Matrix(rowCount: matrix.rowCount, columnCount: columnCount)
        for row in 0..<matrix.rowCount {
            let first = row * groupCount / matrix.rowCount * matrix.columnCount
            for column in 0..<matrix.columnCount {
                result[row, first + column] = matrix[row, column]
            }
        }
        return result
    }

    // MARK: Passes

    /// A forward pass with everything that going backwards needs.
    public struct Pass: Sendable {
        /// The outputs, `[samples, out, lengths…]`.
        public let y: [Float]
        /// The lengths of the outputs.
        public let lengths: [Int]
        let linear: LoRALinear.Pass
        let inputLengths: [Int]
        let samples: Int
    }

    /// Computes the layer's outputs.
    /// - Parameters:
    ///   - x: `[samples, in, lengths…]`.
    ///   - lengths: of the dimensions.
    ///   - dropout: which activations reach adapters.
    ///   - workspace: scratch memory.
    /// - Returns: the outputs, and what `backward` needs.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func forward(
        _ x: [Float],
        lengths: [Int],
        dropout: Dropout = .off,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> Pass {
        let volume = channelCount * lengths.reduce(1, *)
        precondition(x.count % volume == 0, "\(x.count) activations in samples of \(volume)")
        let samples = x.count / volume
        let patches = geometry.patches(
            of: x,
            samples: samples,
            channels: channelCount,
            lengths: lengths
        )
        let width = channelCount * geometry.kernelCount
        let pass = try linear.forward(
            Matrix(rowCount: patches.count / width, columnCount: width, elements: patches),
            mode: .float32,
            dropout: patched(dropout, x.count, samples, lengths),
            workspace: &workspace
        )
        let outputs = geometry.outputLengths(lengths)
        return Pass(
            y: channelsFirst(pass.y, samples),
            lengths: outputs,
            linear: pass,
            inputLengths: lengths,
            samples: samples
        )
    }

    /// Computes gradients.
    /// - Parameters:
    ///   - dy: `[samples, out, lengths…]`.
    ///   - pass: of `forward`.
    ///   - workspace: scratch memory.
    /// - Returns: that in the activations, and those in the factors of all active adapters; of a grouped
    ///   convolution `grouped` gives the part of `B`.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func backward(
        _ dy: [Float],
        of pass: Pass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> (dx: [Float], gradients: [String: LoRAGradients]) {
        precondition(dy.count == pass.y.count, "\(dy.count) gradients of \(pass.y.count) outputs")
        let outputs = linear.base.outputCount
        let positions = dy.count / max(pass.samples * outputs, 1)
        var rows = Matrix(rowCount: pass.samples * positions, columnCount: outputs)
        for sample in 0..<pass.samples {
            for output in 0..<outputs {
                for position in 0..<positions {
                    rows[sample * positions + position, output] =
                        dy[(sample * outputs + output) * positions + position]
                }
            }
        }
        let (patches, gradients) = try linear.backward(rows, of: pass.linear, workspace: &workspace)
        let dx = geometry.sum(
            ofPatches: patches.elements,
            samples: pass.samples,
            channels: channelCount,
            lengths: pass.inputLengths
        )
        return (dx, gradients)
    }

    private func channelsFirst(_ rows: Matrix, _ samples: Int) -> [Float] {
        let positions = rows.rowCount / max(samples, 1)
        var result = [Float](repeating: 0, count: rows.elements.count)
        for row in 0..<rows.rowCount {
            let (sample, position) = row.quotientAndRemainder(dividingBy: positions)
            for output in 0..<rows.columnCount {
                let channel = sample * rows.columnCount + output
                result[channel * positions + position] = rows[row, output]
            }
        }
        return result
    }

    /// What is dropped of the activations is dropped of every patch that sees it.
    private func patched(
        _ dropout: Dropout,
        _ count: Int,
        _ samples: Int,
        _ lengths: [Int]
    ) -> Dropout {
        guard !dropout.isOff else { return dropout }
        let ones = [Float](repeating: 1, count: count)
        return .kept(
            linear.active.enumerated().map { position, adapter in
                var kept = ones
                ones.withFloatSpan { ones in
                    kept.withMutableFloatSpan {
                        dropout.apply(
                            to: ones,
                            into: &$0,
                            position: position,
                            probability: adapter.dropout
                        )
                    }
                }
                return geometry.patches(
                    of: kept,
                    samples: samples,
                    channels: channelCount,
                    lengths: lengths
                ).map { $0 != 0 }
            }
        )
    }
}
