package import Files

/// One module of a model that has a weight.
package struct ModelModule: Hashable, Sendable {
    /// What a module does with its weight.
    package enum Kind: Hashable, Sendable {
        /// `y = x · Wᵀ + b` with `W` stored `[N, K]`: outputs, inputs.
        case linear
        /// GPT-2's linear layer: the float weight is stored transposed, `[K, N]`; a quantized one
        /// as `[N, K]`.
        case convolution1D
        /// A look-up table `[rows, columns]`.
        case embedding
        /// A scale for each channel.
        case norm
        /// The linear layer that makes the logits, `[vocabulary, hidden]`.
        case outputHead
        /// The linear layer that chooses experts.
        case router
        /// A linear layer that loaders leave in full precision.
        case keptLinear
    }

    /// The dotted path, for example `model.layers.0.mlp.up_proj`.
    package let path: Name
    /// What it does.
    package let kind: Kind
    /// The shape of `<path>.weight` as a float checkpoint stores it.
    package let weightShape: [Int]
    /// The length of `<path>.bias`; nil if the module has none.
    package let biasCount: Int?

    /// The name of the weight.
    package var weightName: Name { Name(utf8: path.utf8 + ".weight".utf8) }

    /// The name of the bias; nil if there is none.
    package var biasName: Name? {
        biasCount == nil ? nil : Name(utf8: path.utf8 + ".bias".utf8)
    }

    /// The shape `[N, K]` of the weight as a matrix from `K` inputs to `N` outputs.
    package var matrixShape: [Int] {
        kind == .convolution1D ? weightShape.reversed() : weightShape
    }

    /// Whether bitsandbytes replaces modules of this kind.
    package var isLinear: Bool { kind.isLinear }
}

extension ModelModule.Kind {
    /// Whether bitsandbytes replaces modules of this kind, unless it is told to leave them alone.
    package var isLinear: Bool {
        switch self {
        case .linear, .convolution1D, .outputHead, .router, .keptLinear: true
        case .embedding, .norm: false
        }
    }
}
