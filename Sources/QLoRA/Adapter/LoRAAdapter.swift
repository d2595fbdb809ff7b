internal import Synchronization
public import Tensors

/// The factors of one adapter of one linear layer: `ΔW = scaling · B · A`.
///
/// The paper is "LoRA: low-rank adaptation of large language models" (2021), section 4.1. With a
/// magnitude it is DoRA ("Weight-decomposed low-rank adaptation", 2024, equation 5): the rows of
/// `W + ΔW` are scaled to have these norms.
public struct LoRAAdapter: Sendable {
    /// `A`, `[r, K]`.
    public var a: Matrix { didSet { version = Self.nextVersion() } }
    /// `B`, `[N, r]`.
    public var b: Matrix { didSet { version = Self.nextVersion() } }
    /// Added to the product with `B` and scaled with it (`lora_bias`); `N` numbers, or none.
    public var bias: [Float]?
    /// The norms of the rows (DoRA); `N` numbers, or none.
    public var magnitude: [Float]?
    /// `alpha / r`, or `alpha / √r` with rsLoRA (Kalajdzievski 2023).
    public var scaling: Double { didSet { version = Self.nextVersion() } }
    /// The probability of an activation not to reach `A` in training, from 0 to 1.
    public var dropout: Double

    /// Changes with `A`, `B` and the scaling, and is never used twice.
    var version = Self.nextVersion()
    let norms = NormCache()

    /// Puts together the factors of an adapter.
    /// - Precondition: the sizes fit; a magnitude excludes a bias.
    public init(
        a: Matrix,
        b: Matrix,
        bias: [Float]? = nil,
        magnitude: [Float]? = nil,
        scaling: Double,
        dropout: Double = 0
    ) {
        precondition(
            a.rowCount == b.columnCount,
            "A has \(a.rowCount) rows and B \(b.columnCount) columns"
        )
        for (name, count) in [("biases", bias?.count), ("magnitudes", magnitude?.count)] {
            precondition(
                count == nil || count == b.rowCount,
                "\(count ?? 0) \(name) for \(b.rowCount) outputs"
            )
        }
        precondition(bias == nil || magnitude == nil, "DoRA has no bias of its own")
        precondition((0...1).contains(dropout), "a dropout of \(dropout)")
        self.a = a
        self.b = b
        self.bias = bias
        self.magnitude = magnitude
        self.scaling = scaling
        self.dropout = dropout
    }

    /// `r`.
    public var rank: Int { a.rowCount }
    /// `K`.
    public var inputCount: Int { a.columnCount }
    /// `N`.
    public var outputCount: Int { b.rowCount }

    private static func nextVersion() -> Int {
        versions.wrappingAdd(1, ordering: .relaxed).newValue
    }
    private static let versions = Atomic(0)
}

/// The gradients of an adapter's factors, added up until they are set to zero.
public struct LoRAGradients: Sendable {
    /// Of `A`, `[r, K]`.
    public var a: Matrix
    /// Of `B`, `[N, r]`.
    public var b: Matrix
    /// Of the bias, if there is one.
    public var bias: [Float]?
    /// Of the magnitude, if there is one.
    public var magnitude: [Float]?

    /// Zeros for the factors of an adapter.
    public init(of adapter: LoRAAdapter) {
        a = Matrix(rowCount: adapter.a.rowCount, columnCount: adapter.a.columnCount)
        b = Matrix(rowCount: adapter.b.rowCount, columnCount: adapter.b.columnCount)
        bias = adapter.bias.map { [Float](repeating: 0, count: $0.count) }
        magnitude = adapter.magnitude.map { [Float](repeating: 0, count: $0.count) }
    }
}

/// The row norms of a merged weight, kept while the factors do not change.
final class NormCache: Sendable {
    private let known = Mutex<(version: Int, norms: [Float])?>(nil)

    func known(_ version: Int) -> [Float]? {
        known.withLock { $0?.version == version ? $0?.norms : nil }
    }

    func keep(_ norms: [Float], _ version: Int) {
        known.withLock { $0 = (version, norms) }
    }
}
