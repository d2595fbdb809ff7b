internal import Containers
internal import Files

/// Looks up the keys of one architecture, and checks the range of what they hold.
struct GGUFConfigKeys {
    let file: GGUFFile
    /// What the keys start with, without the dot.
    let prefix: String

    /// Returns the key with the architecture in front.
    func key(_ suffix: String) -> Name { Name("\(prefix).\(suffix)") }

    /// Returns an error about a key.
    func error(
        _ code: CheckpointError.Code,
        _ suffix: String,
        _ message: String,
        expected: String? = nil,
        found: String? = nil
    ) -> CheckpointError {
        CheckpointError(
            code,
            message,
            file: file.source.fileName,
            key: key(suffix).text,
            offset: file.entry(key(suffix)).map { UInt64($0.valueOffset) },
            expected: expected,
            found: found
        )
    }

    /// Returns a whole number that must be there.
    func count(_ suffix: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        guard let number = try optionalCount(suffix, in: range) else {
            throw file.missingKey(key(suffix))
        }
        return number
    }

    /// Returns a whole number, or nil if the key is absent.
    func optionalCount(
        _ suffix: String,
        in range: ClosedRange<Int>
    ) throws(CheckpointError) -> Int? {
        guard let number = try file.integer(key(suffix)) else { return nil }
        guard let count = Int(exactly: number), range.contains(count) else {
            throw error(
                .configRange,
                suffix,
                "the number is out of range",
                expected: "\(range.lowerBound) to \(range.upperBound)",
                found: "\(number)"
            )
        }
        return count
    }

    /// Returns a number above 0 that must be there.
    func positive(_ suffix: String) throws(CheckpointError) -> Double {
        guard let number = try optionalPositive(suffix) else { throw file.missingKey(key(suffix)) }
        return number
    }

    /// Returns a number above 0, or nil if the key is absent.
    ///
    /// A float32 comes as the shortest decimal that is nearest to it: 1e-05, not
    /// 9.999999747378752e-06.
    func optionalPositive(_ suffix: String) throws(CheckpointError) -> Double? {
        guard let (value, isSingle) = try file.float(key(suffix)) else { return nil }
        guard value.isFinite, value > 0 else {
            throw error(
                .configRange,
                suffix,
                "the number is out of range",
                expected: "a finite number above 0",
                found: "\(value)"
            )
        }
        return isSingle ? Double("\(Float(value))") ?? value : value
    }

    /// Refuses heads of which only a part is rotated, unless the family has them.
    func refuseOtherRotation(
        _ rotaryDimension: Int,
        of headDimension: Int,
        isAllowed: Bool
    ) throws(CheckpointError) {
        guard rotaryDimension <= headDimension, isAllowed || rotaryDimension == headDimension
        else {
            throw error(
                .configUnsupported,
                "rope.dimension_count",
                "only a part of each head is rotated",
                expected: "\(headDimension)",
                found: "\(rotaryDimension)"
            )
        }
    }

    /// Refuses keys that change what the model computes and have no place in its configuration.
    func refuseUnknownFeatures() throws(CheckpointError) {
        for suffix in ["expert_count", "expert_used_count"] {
            if let number = try file.integer(key(suffix)), number > 0 {
                throw error(
                    .configUnsupported,
                    suffix,
                    "mixtures of experts are not read",
                    expected: "0",
                    found: "\(number)"
                )
            }
        }
        let scales = [
            "attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale", "logit_scale",
            "residual_scale", "embedding_scale",
        ]
        for suffix in scales {
            if let (value, _) = try file.float(key(suffix)), value != 0 {
                throw error(
                    .configUnsupported,
                    suffix,
                    "the architecture has no such scale",
                    found: "\(value)"
                )
            }
        }
        for suffix in ["attention.causal", "use_parallel_residual"] {
            if let flag = try file.bool(key(suffix)), flag != (suffix == "attention.causal") {
                throw error(
                    .configUnsupported,
                    suffix,
                    "the architecture has no such switch",
                    found: "\(flag)"
                )
            }
        }
    }
}
