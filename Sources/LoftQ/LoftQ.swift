public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import QLoRA
public import Quant
public import Tensors

/// Quantization and an adapter that makes up for what it lost: `W ≈ Q + s B A`.
///
/// The paper is "LoftQ: LoRA-fine-tuning-aware quantization" (2023), algorithm 1.
/// Alternates from `B A = 0`: `Q = quantize(W - s B A)`, then `s B A` the leading part of `W - Q`, decoded
/// from what is stored. `A = √(S / s) Vᵀ` and `B = U √(S / s)`, so that any scaling gives the same product;
/// PEFT takes `s` for 1, and with `alpha = 2 r` gains nothing. There is no guarantee that an iteration is
/// better than the one before, so the best is kept.
public struct LoftQ: Sendable {
    /// How the weight is quantized.
    public var config: QuantizationConfig
    /// `r`.
    public var rank: Int
    /// `alpha / r`, or with rsLoRA `alpha / √r`; above 0.
    public var scaling: Double
    /// How often it goes round, at least once.
    public var iterationCount: Int
    /// Whether it begins with the leading part of the weight in the adapter, so that what is quantized is
    /// the rest (QPiSSA: Meng, Wang and Zhang 2024); the only iteration then leaves the adapter as it was.
    public var startsFromWeight = false
    /// For what is random in decompositions of large weights.
    public var seed: UInt64 = 0

    /// Chooses how to do it.
    public init(
        _ config: QuantizationConfig = .nf4,
        rank: Int,
        scaling: Double = 1,
        iterationCount: Int = 1
    ) {
        self.config = config
        self.rank = rank
        self.scaling = scaling
        self.iterationCount = iterationCount
    }

    /// A quantized weight, its adapter, and how it came to them.
    public struct Result: Sendable {
        /// The weight.
        public let quantized: QuantizedMatrix
        /// The adapter.
        public let adapter: LoRAAdapter
        /// `‖W‖`.
        public let weightNorm: Double
        /// `‖W - Q‖` of plain quantization.
        public let plainError: Double
        /// `‖W - Q - s B A‖` after each iteration.
        public let errors: [Double]
        /// The iteration that was kept, from 0.
        public let best: Int

        /// `‖W - Q - s B A‖` of what was kept.
        public var error: Double { errors[best] }
    }

    /// Quantizes a weight and makes its adapter.
    /// - Parameters:
    ///   - weight: `[N, K]`, finite.
    ///   - dtype: the type that the quantized weight is recorded as.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Returns: the best iterate.
    /// - Throws: `adapter.range` for a rank above the smaller side or a scaling that is not above 0;
    ///   `num.nonFinite`; `num.factorization`.
    public func quantized(
        _ weight: Matrix,
        recordedAs dtype: FloatDType = .float32,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) -> Result {
        try check(weight)
        var best: (quantized: QuantizedMatrix, adapter: LoRAAdapter, index: Int)?
        var errors: [Double] = []
        var plainError = 0.0
        var start: Matrix?
        var adapter: LoRAAdapter?
        // What is to be quantized, and then what is left of the weight: one copy for both.
        var work = weight
        for iteration in 0..<iterationCount {
            if iteration == 0, startsFromWeight {
                try work.subtract(weight.quantized(using: config), on: workers)
                plainError = work.norm(on: workers)
                work.assign(weight, on: workers)
                adapter = self.adapter(of: try leading(weight, nil, workers))
            }
            if let adapter { work.subtract(adapter, on: workers) }
            let quantized = try work.quantized(using: config)
            work.assign(weight, on: workers)
            work.subtract(quantized, on: workers)
            if iteration == 0, !startsFromWeight { plainError = work.norm(on: workers) }
            let next: LoRAAdapter
            if let adapter, startsFromWeight, iterationCount == 1 {
                next = adapter
            } else {
                let svd = try leading(work, start, workers)
                start = svd.right
                next = self.adapter(of: svd)
            }
            // What is left: the residual without its leading part.
            work.subtract(next, on: workers)
            errors.append(work.norm(on: workers))
            if best.map({ errors[iteration] < errors[$0.index] }) ?? true {
                best = (quantized, next, iteration)
            }
            adapter = next
            if iteration + 1 < iterationCount { work.assign(weight, on: workers) }
        }
        guard let best else { preconditionFailure("no iteration") }
        return Result(
            quantized: best.quantized.recorded(as: dtype),
            adapter: best.adapter,
            weightNorm: weight.norm(on: workers),
            plainError: plainError,
            errors: errors,
            best: best.index
        )
    }

    /// Makes the adapter for a weight that is quantized already, and stays as it is: one step of the
    /// alternation (`replace_lora_weights_loftq` of PEFT).
    /// - Parameters:
    ///   - quantized: the weight as it is stored.
    ///   - weight: what it was quantized from.
    ///   - workers: the threads.
    /// - Returns: the adapter, `‖W - Q‖`, and `‖W - Q - s B A‖`.
    /// - Throws: as `quantized`.
    /// - Precondition: both have the same shape.
    public func adapter(
        for quantized: QuantizedMatrix,
        of weight: Matrix,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) -> (adapter: LoRAAdapter, plainError: Double, error: Double) {
        precondition(
            quantized.rowCount == weight.rowCount && quantized.columnCount == weight.columnCount,
            "a quantized weight [\(quantized.rowCount), \(quantized.columnCount)] of "
                + "[\(weight.rowCount), \(weight.columnCount)]"
        )
        try check(weight)
        var residual = weight
        residual.subtract(quantized, on: workers)
        let plainError = residual.norm(on: workers)
        let adapter = adapter(of: try leading(residual, nil, workers))
        residual.subtract(adapter, on: workers)
        return (adapter, plainError, residual.norm(on: workers))
    }

    private func check(_ weight: Matrix) throws(CheckpointError) {
        precondition(iterationCount > 0, "\(iterationCount) iterations")
        let smaller = min(weight.rowCount, weight.columnCount)
        guard 1...max(smaller, 1) ~= rank, smaller > 0 else {
            throw CheckpointError(
                .adapterRange,
                "the rank is not one that the weight has",
                key: "r",
                expected: "1 to \(smaller)",
                found: "\(rank)"
            )
        }
        guard scaling > 0, scaling.isFinite else {
            throw CheckpointError(
                .adapterRange,
                "the scaling is not above 0",
                key: "lora_alpha",
                found: "\(scaling)"
            )
        }
        guard let index = weight.elements.firstIndex(where: { !$0.isFinite }) else { return }
        throw CheckpointError(.numNonFinite, "element \(index) is \(weight.elements[index])")
    }

    private func adapter(of svd: TruncatedSVD) -> LoRAAdapter {
        let (a, b) = svd.factors(scaling: scaling)
        return LoRAAdapter(a: a, b: b, scaling: scaling)
    }

    private func leading(
        _ matrix: Matrix,
        _ start: Matrix?,
        _ workers: WorkerPool
    ) throws(CheckpointError) -> TruncatedSVD {
        do throws(LinearAlgebraError) {
            return try TruncatedSVD(
                leadingOf: matrix,
                count: rank,
                start: start,
                seed: seed,
                on: workers
            )
        } catch {
            throw CheckpointError(.numFactorization, "\(error)")
        }
    }
}
