internal import Files

/// Checks the settings of a rotary embedding, of which there is an old form (`rope_theta`, `rope_scaling`)
/// and a new one (`rope_parameters`).
struct RotaryCheck {
    private let json: JSONObject

    init(_ json: JSONObject) { self.json = json }

    /// The kinds, and the numbers without which each means nothing.
    private static let kinds: [String: [Name]] = [
        "default": [],
        "linear": ["factor"],
        "dynamic": ["factor"],
        "yarn": [],
        "longrope": ["short_factor", "long_factor"],
        "su": ["short_factor", "long_factor"],
        "llama3": ["factor", "low_freq_factor", "high_freq_factor"],
    ]

    /// Checks kinds and numbers.
    /// - Throws: `config.range`, `config.unsupported`, `config.contradiction` or `json.…`.
    func check() throws(CheckpointError) {
        try ConfigReader(json: json).checkPositive("rope_theta")
        let old = try json.optionalObject("rope_scaling")
        let new = try json.optionalObject("rope_parameters")
        for case let settings? in [old, new] {
            try Self.check(settings)
            // One set for each type of layer.
            for member in settings.members {
                if case .object = member.value { try Self.check(settings.object(member.key)) }
            }
        }
        if let old, let new { try checkAgreement(old, new) }
    }

    private static func check(_ settings: JSONObject) throws(CheckpointError) {
        try ConfigReader(json: settings).checkPositive(
            "rope_theta",
            "factor",
            "low_freq_factor",
            "high_freq_factor",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "original_max_position_embeddings",
            "partial_rotary_factor",
            "long_factor",
            "short_factor"
        )
        for key: Name in ["rope_type", "type"] {
            guard let kind = try settings.optionalString(key) else { continue }
            guard let numbers = kinds[kind] else {
                throw CheckpointError(
                    .configUnsupported,
                    "the rotary embedding \"\(Name.printable(kind))\" is not known",
                    key: settings.keyPath(key),
                    offset: settings.member(key)?.valueOffset
                )
            }
            for number in numbers { try settings.require(number) }
        }
    }

    /// Programs differ in which of the two forms they follow, so both have to say the same.
    private func checkAgreement(
        _ old: JSONObject,
        _ new: JSONObject
    ) throws(CheckpointError) {
        let (oldKind, newKind) = (try Self.kind(of: old), try Self.kind(of: new))
        guard oldKind == newKind else { throw contradiction("rope_type", oldKind, newKind) }
        for member in old.members {
            guard let number = try? old.optionalDouble(member.key),
                let other = try? new.optionalDouble(member.key), number != other
            else { continue }
            throw contradiction(member.key, "\(number)", "\(other)")
        }
    }

    private static func kind(of settings: JSONObject) throws(CheckpointError) -> String {
        let old = try settings.optionalString("type")
        return try settings.optionalString("rope_type") ?? old ?? "default"
    }

    private func contradiction(_ key: Name, _ old: String, _ new: String) -> CheckpointError {
        CheckpointError(
            .configContradiction,
            "rope_parameters and rope_scaling contradict each other in \(key)",
            key: "rope_scaling",
            offset: json.member("rope_scaling")?.valueOffset,
            expected: new,
            found: old
        )
    }
}
