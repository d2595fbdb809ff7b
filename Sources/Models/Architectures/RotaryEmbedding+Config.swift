#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

internal import CheckpointIO

extension RotaryEmbedding {
    /// Reads the rotation out of `config.json`: `rope_parameters`, or `rope_theta` and `rope_scaling`.
    /// - Throws: `config.unsupported` with the name of a scaling that is not known, and what reading
    ///   the numbers throws.
    init(_ config: ModelConfig) throws(CheckpointError) {
        let settings = try RotarySettings(config)
        let width = config.headDimension
        // In float32, like the reference.
        let plain = stride(from: 0, to: width, by: 2).map { channel in
            1 / powf(Float(settings.base), Float(channel) / Float(width))
        }
        switch settings.scaling {
        case .unscaled:
            self.init(frequencies: plain)
        case .linear(let factor):
            self.init(frequencies: plain.map { $0 / Float(factor) })
        case .llama3(let scaling):
            self.init(frequencies: plain.map(scaling.scaled))
        case .yarn(let scaling):
            self.init(
                frequencies: scaling.scaled(plain, base: settings.base, width: width),
                magnitude: Float(scaling.magnitude)
            )
        }
    }
}

/// The settings of a rotary embedding, whichever of the two spellings the file has.
private struct RotarySettings {
    enum Scaling {
        case unscaled
        case linear(Double)
        case llama3(Llama3Scaling)
        case yarn(YaRNScaling)
    }

    let base: Double
    let scaling: Scaling

    init(_ config: ModelConfig) throws(CheckpointError) {
        let json = config.json
        let parameters = try json.optionalObject("rope_parameters")
        let scaled = try json.optionalObject("rope_scaling")
        let settings = parameters ?? scaled
        let outer = try json.optionalDouble("rope_theta")
        base = try settings?.optionalDouble("rope_theta") ?? outer ?? 10_000
        let outerPart = try json.optionalDouble("partial_rotary_factor")
        let part = try settings?.optionalDouble("partial_rotary_factor") ?? outerPart ?? 1
        guard part == 1 else {
            throw CheckpointError.unsupported("partial_rotary_factor", "\(part)", in: json)
        }
        guard let settings else {
            scaling = .unscaled
            return
        }
        let oldType = try settings.optionalString("type")
        let type = try settings.optionalString("rope_type") ?? oldType ?? "default"
        switch type {
        case "default": scaling = .unscaled
        case "linear": scaling = .linear(try settings.double("factor"))
        case "llama3": scaling = .llama3(try Llama3Scaling(settings, config))
        case "yarn": scaling = .yarn(try YaRNScaling(settings, config))
        default: throw CheckpointError.unsupported("rope_type", type, in: settings)
        }
    }
}

/// Slow rotations are slowed by a factor, fast ones kept, those between interpolated (Llama 3.1).
private struct Llama3Scaling {
    let factor: Float
    let low: Float
    let high: Float
    let context: Float

    init(_ settings: JSONObject, _ config: ModelConfig) throws(CheckpointError) {
        factor = Float(try settings.double("factor"))
        low = Float(try settings.double("low_freq_factor"))
        high = Float(try settings.double("high_freq_factor"))
        context = Float(try settings.originalContext(config))
    }

    func scaled(_ frequency: Float) -> Float {
        let wavelength = 2 * Float.pi / frequency
        if wavelength < context / high { return frequency }
        if wavelength > context / low { return frequency / factor }
        let smooth = (context / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }
}

/// YaRN (Peng and others 2023, section 3.2): channels with few rotations in the original context are slowed
/// by a factor, those with many kept, and attention is sharpened.
private struct YaRNScaling {
    let factor: Double
    let fast: Double
    let slow: Double
    let context: Double
    let truncates: Bool
    let magnitude: Double

    init(_ settings: JSONObject, _ config: ModelConfig) throws(CheckpointError) {
        context = try settings.originalContext(config)
        if let factor = try settings.optionalDouble("factor") {
            self.factor = factor
        } else {
            factor = Double(config.contextLength ?? Int(context)) / context
        }
        fast = try settings.optionalDouble("beta_fast") ?? 32
        slow = try settings.optionalDouble("beta_slow") ?? 1
        truncates = try settings.optionalBool("truncate") ?? true
        magnitude = try Self.magnitude(settings, factor: factor)
    }

    private static func magnitude(
        _ settings: JSONObject,
        factor: Double
    ) throws(CheckpointError) -> Double {
        func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
        if let given = try settings.optionalDouble("attention_factor") { return given }
        let own = try settings.optionalDouble("mscale") ?? 0
        let all = try settings.optionalDouble("mscale_all_dim") ?? 0
        return own != 0 && all != 0 ? scale(own) / scale(all) : scale(1)
    }

    func scaled(_ plain: [Float], base: Double, width: Int) -> [Float] {
        /// The channel that turns so often in the original context.
        func channel(rotations: Double) -> Double {
            Double(width) * log(context / (rotations * 2 * .pi)) / (2 * log(base))
        }
        var low = channel(rotations: fast)
        var high = channel(rotations: slow)
        if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        low = max(low, 0)
        high = min(high, Double(width - 1))
        if low == high { high += 0.001 }
        return plain.enumerated().map { index, frequency in
            let ramp = min(max((Float(index) - Float(low)) / Float(high - low), 0), 1)
            return frequency / Float(factor) * ramp + frequency * (1 - ramp)
        }
    }
}

extension JSONObject {
    /// The context that a scaled rotation was trained on before.
    fileprivate func originalContext(_ config: ModelConfig) throws(CheckpointError) -> Double {
        if let given = try optionalDouble("original_max_position_embeddings") { return given }
        if let context = config.contextLength { return Double(context) }
        return try double("original_max_position_embeddings")
    }
}

extension CheckpointError {
    /// The refusal of a value of `config.json` that a model cannot be run with.
    static func unsupported(_ key: Name, _ value: String, in json: JSONObject) -> CheckpointError {
        CheckpointError(
            .configUnsupported,
            "models with the value \(Name.printable(value)) cannot be run",
            file: "config.json",
            key: json.keyPath(key),
            offset: json.member(key)?.valueOffset
        )
    }
}
