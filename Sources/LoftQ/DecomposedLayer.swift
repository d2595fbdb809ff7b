internal import CheckpointIO
internal import QLoRA
internal import Quant

/// A layer whose weight was split into a base and an adapter, and how near both come to it.
///
/// All norms are Frobenius norms. Squared error alone does not tell what a method is worth to a model.
public struct DecomposedLayer: Sendable, Hashable {
    /// The module's name.
    public let module: String
    /// `N`.
    public let rowCount: Int
    /// `K`.
    public let columnCount: Int
    /// `r`.
    public let rank: Int
    /// `‖W‖`.
    public let weightNorm: Double
    /// `‖W - Q‖` of plain quantization; 0 where the base keeps floats.
    public let plainError: Double
    /// `‖W - Q - s B A‖` after each iteration; empty for a layer that was left alone.
    public let errors: [Double]
    /// The iteration that was kept, from 0.
    public let best: Int
    /// What was decided about it.
    public internal(set) var verdict: Verdict

    /// What becomes of a layer.
    public enum Verdict: String, Sendable, Hashable {
        /// It has its adapter.
        case accept
        /// It is quantized as if there were none, and its adapter begins as a new one that changes nothing.
        case reject
        /// As `reject`, for this and all layers that follow.
        case stop
    }

    /// `‖W - Q - s B A‖` of what is written.
    public var error: Double {
        verdict == .accept && !errors.isEmpty ? errors[best] : plainError
    }

    /// The share of plain quantization's error that is gone; 0 where that had none.
    public var gain: Double { plainError > 0 ? 1 - error / plainError : 0 }

    /// The kind of the layer: the end of its name.
    public var kind: String {
        module.split(separator: ".").last.map { String($0) } ?? module
    }

    init(
        _ target: ModuleSelection.Target,
        weightNorm: Double,
        plainError: Double = 0,
        errors: [Double] = [],
        best: Int = 0,
        verdict: Verdict = .accept
    ) {
        module = target.module.name
        (rowCount, columnCount) = (target.module.shape[0], target.module.shape[1])
        rank = target.rank
        self.weightNorm = weightNorm
        self.plainError = plainError
        self.errors = errors
        self.best = best
        self.verdict = verdict
    }
}

extension DecomposedLayer {
    /// What the journal keeps of a layer.
    var note: JSONObject {
        [
            "rows": .integer(rowCount),
            "columns": .integer(columnCount),
            "rank": .integer(rank),
            "weight_norm": .double(weightNorm),
            "plain_error": .double(plainError),
            "errors": .array(errors.map { .double($0) }),
            "best": .integer(best),
            "verdict": .string(verdict.rawValue),
        ]
    }

    /// Reads a note.
    /// - Throws: `json.…`.
    init(_ module: String, note: JSONObject) throws(CheckpointError) {
        self.module = module
        rowCount = try note.integer("rows")
        columnCount = try note.integer("columns")
        rank = try note.integer("rank")
        weightNorm = try note.double("weight_norm")
        plainError = try note.double("plain_error")
        errors = try note.array("errors").compactMap { value in
            if case .number(let number) = value { number.double } else { nil }
        }
        best = try note.integer("best")
        verdict = Verdict(rawValue: try note.string("verdict")) ?? .accept
    }
}
