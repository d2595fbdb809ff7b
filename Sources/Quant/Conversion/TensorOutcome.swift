internal import CheckpointIO

/// What a run found out about a tensor while it was written; the journal keeps it for a later run.
struct TensorOutcome {
    /// How far the codes are from the weights; nil unless it was measured.
    var distortion: Distortion?
    /// Finite, non-zero values that became zero in a narrower type.
    var flushedToZeroCount = 0

    init() {}

    /// Puts the tiles of a tensor together, in their order.
    init(_ tiles: [TileResult]) {
        let measured = tiles.compactMap(\.distortion)
        if !measured.isEmpty { distortion = Distortion(tiles: measured) }
        flushedToZeroCount = tiles.reduce(0) { $0 + $1.flushedToZeroCount }
    }

    /// What the journal keeps of the tensors of a file, in their order.
    static func note(of outcomes: [TensorOutcome]) -> JSONObject {
        let tensors = outcomes.map { outcome in
            JSONValue.object([
                "flushed_to_zero": .integer(outcome.flushedToZeroCount),
                "distortion": outcome.distortion.map { .object($0.record) } ?? .null,
            ])
        }
        return ["tensors": .array(tensors)]
    }

    /// Reads a note; tensors that it does not tell of were not measured.
    static func outcomes(of count: Int, in note: JSONObject?) -> [TensorOutcome] {
        let unknown = [TensorOutcome](repeating: TensorOutcome(), count: count)
        guard let tensors = try? note?.array("tensors"), tensors.count == count else {
            return unknown
        }
        return tensors.map { tensor in
            var outcome = TensorOutcome()
            guard case .object(let members) = tensor else { return outcome }
            outcome.flushedToZeroCount = (try? members.integer("flushed_to_zero")) ?? 0
            if let record = try? members.optionalObject("distortion") {
                outcome.distortion = Distortion(record: record)
            }
            return outcome
        }
    }
}

extension Distortion {
    /// All sums and counts but the stored bytes, exactly.
    fileprivate var record: JSONObject {
        [
            "elements": .integer(elementCount),
            "squares": .double(squaredSum),
            "squared_errors": .double(squaredErrorSum),
            "absolute_errors": .double(absoluteErrorSum),
            "maximum": .double(maximumError),
            "sign_flips": .integer(signFlipCount),
            "lost": .integer(lostCount),
            "codes": .array(codeCounts.map(JSONValue.integer)),
        ]
    }

    /// Reads a record; nil if a member is missing.
    fileprivate init?(record: JSONObject) {
        self.init()
        do {
            elementCount = try record.integer("elements")
            squaredSum = try record.double("squares")
            squaredErrorSum = try record.double("squared_errors")
            absoluteErrorSum = try record.double("absolute_errors")
            maximumError = try record.double("maximum")
            signFlipCount = try record.integer("sign_flips")
            lostCount = try record.integer("lost")
            codeCounts = try record.array("codes").map { value in
                guard case .number(let number) = value, let count = number.integer else { return 0 }
                return count
            }
        } catch {
            return nil
        }
    }
}
