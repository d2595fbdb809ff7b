internal import Containers
internal import Files

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension GGUFConfig {
    /// Returns `rope_scaling`, or nil if positions are taken as they are.
    /// - Throws: `config.unsupported` for a kind of scaling, or factors, that have no known name.
    func ropeScaling() throws(CheckpointError) -> JSONObject? {
        let keys = GGUFConfigKeys(file: file, prefix: architecture.rawValue)
        let kind = try file.string(keys.key("rope.scaling.type"))
        if let frequencies = tensor("rope_freqs.weight") {
            return try llama3Scaling(try floats(of: frequencies))
        }
        if architecture == .phi3, let long = tensor("rope_factors_long.weight") {
            guard let short = tensor("rope_factors_short.weight") else {
                throw CheckpointError(
                    .modelTensorMissing,
                    "the file has long rotary factors, but no short ones",
                    file: file.source.fileName,
                    tensor: "rope_factors_short.weight"
                )
            }
            return [
                "rope_type": "longrope",
                "type": "longrope",
                "long_factor": .array(try floats(of: long).map(decimal)),
                "short_factor": .array(try floats(of: short).map(decimal)),
            ]
        }
        switch kind {
        case nil, "none":
            return nil
        case "linear":
            let factor = try keys.positive("rope.scaling.factor")
            return ["rope_type": "linear", "type": "linear", "factor": .double(factor)]
        case "yarn":
            let original = try keys.count("rope.scaling.original_context_length", in: 1...1 << 31)
            return [
                "rope_type": "yarn",
                "type": "yarn",
                "factor": .double(try keys.positive("rope.scaling.factor")),
                "original_max_position_embeddings": .integer(original),
            ]
        case let kind?:
            throw keys.error(
                .configUnsupported,
                "rope.scaling.type",
                "this scaling of the rotary embedding is not read",
                expected: "none, linear or yarn",
                found: kind
            )
        }
    }

    /// Finds the parameters of Llama 3's scaling whose factors are those in the file.
    ///
    /// The file has only the resulting divisors, one for each pair of channels. The released models
    /// share all parameters but the factor, which is the largest divisor: recompute, compare.
    private func llama3Scaling(_ stored: [Float]) throws(CheckpointError) -> JSONObject {
        let factor = Double(stored.max() ?? 0)
        let (low, high, original) = (1.0, 4.0, 8192.0)
        let matches =
            stored.count == headDimension / 2 && factor >= 1
            && stored.enumerated().allSatisfy { index, divisor in
                let exponent = 2 * Double(index) / Double(headDimension)
                let wavelength = 2 * Double.pi * pow(ropeTheta, exponent)
                let smooth = (original / wavelength - low) / (high - low)
                let expected =
                    wavelength < original / high
                    ? 1
                    : wavelength > original / low
                        ? factor : 1 / ((1 - smooth) / factor + smooth)
                // Writers compute in float32: some roundings of 6e-8, magnified by the difference.
                return abs(Double(divisor) - expected) <= 1e-4 * expected
            }
        guard matches else {
            throw CheckpointError(
                .configUnsupported,
                "rotary factors that are not those of Llama 3",
                file: file.source.fileName,
                tensor: "rope_freqs.weight"
            )
        }
        return [
            "rope_type": "llama3",
            "factor": .double(factor),
            "low_freq_factor": .double(low),
            "high_freq_factor": .double(high),
            "original_max_position_embeddings": .integer(Int(original)),
        ]
    }

    /// The shortest decimal nearest to a float32.
    private func decimal(_ number: Float) -> JSONValue {
        .double(Double("\(number)") ?? Double(number))
    }

    /// Returns the finite values of a small tensor.
    private func floats(of tensor: GGUFTensor) throws(CheckpointError) -> [Float] {
        guard tensor.type == .f32, tensor.elementCount <= headDimension else {
            throw CheckpointError(
                .configUnsupported,
                "rotary factors of an unexpected form",
                file: file.source.fileName,
                tensor: tensor.name,
                expected: "F32, at most \(headDimension)",
                found: "\(tensor.type.name), \(tensor.elementCount)"
            )
        }
        let bytes = try file.source.bytes(in: tensor.bytes)
        let numbers = stride(from: 0, to: bytes.count, by: 4).map { place in
            Float(
                bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            )
        }
        guard numbers.allSatisfy(\.isFinite) else {
            throw CheckpointError(
                .numNonFinite,
                "a rotary factor is not a number",
                file: file.source.fileName,
                tensor: tensor.name
            )
        }
        return numbers
    }
}
