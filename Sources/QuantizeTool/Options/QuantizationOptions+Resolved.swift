internal import Quant
internal import Tensors

extension QuantizationOptions {
    /// What the library is to do, defaults filled in.
    ///
    /// `validate()` has refused what contradicts itself, and patterns that are none.
    func resolved(output: OutputOptions, measuresErrors: Bool) -> ConversionOptions {
        var options = ConversionOptions(config(for: type))
        options.skip = skip.compactMap(ModulePattern.init)
        options.only = only.compactMap(ModulePattern.init)
        options.rules = tensorType.compactMap { rule in
            ModulePattern(rule.pattern).map { pattern in
                ConversionOptions.FormatRule(pattern, rule.format.map(config(for:)))
            }
        }
        options.dtype = dtype?.dtype
        options.keepsNonFinite = keepNonfinite
        options.maximumShardByteCount = output.maxShardSize?.byteCount
        options.zstdLevel = output.zstd
        options.measuresErrors = measuresErrors
        return options
    }

    /// The names of facts of which there may be several.
    static let repeatableFacts = ["skip", "only", "tensor type"]

    /// The options that change what is written, as a report shows them.
    func facts(output: OutputOptions) -> [ReportDocument.Fact] {
        let config = config(for: type)
        var facts: [ReportDocument.Fact] = [.init("format", type.rawValue)]
        if config.format.isBlockwise {
            facts.append(.init("block size", "\(config.blockSize.rawValue)"))
        }
        if config.format.is4Bit {
            facts.append(.init("scale", scale.rawValue))
            facts.append(.init("double quantization", doubleQuant ? "yes" : "no"))
        }
        facts += skip.map { .init("skip", $0) } + only.map { .init("only", $0) }
        facts += tensorType.map { rule in
            .init("tensor type", "\(rule.pattern)=\(rule.format?.rawValue ?? "none")")
        }
        if let dtype { facts.append(.init("dtype", dtype.rawValue)) }
        if keepNonfinite { facts.append(.init("keep non-finite", "yes")) }
        return facts + output.facts
    }

    /// The format with the details that go with it; `--block-size` and the rest count for every
    /// format that has such a thing.
    private func config(for format: Format) -> QuantizationConfig {
        let format = format.format
        return QuantizationConfig(
            format,
            blockSize: blockSize.flatMap(BlockSize.init) ?? .b64,
            absmax: doubleQuant && format.is4Bit ? .doubleQuantized : .float32,
            scale: scale == .search && format.is4Bit ? .search : .absmax
        )
    }
}

extension OutputOptions {
    /// The options that change what is written, as a report shows them.
    var facts: [ReportDocument.Fact] {
        var facts: [ReportDocument.Fact] = []
        if let maxShardSize {
            facts.append(.init("largest file", Quantity.bytes(maxShardSize.byteCount)))
        }
        if let zstd { facts.append(.init("zstd level", "\(zstd)")) }
        return facts
    }
}

extension QuantizationOptions.Format {
    /// The library's word for it.
    var format: QuantizationFormat {
        switch self {
        case .nf4: .nf4
        case .fp4: .fp4
        case .int8: .int8Vectorwise
        case .int8Blockwise: .int8Blockwise
        }
    }
}

extension FloatType {
    /// The library's word for it.
    var dtype: FloatDType {
        switch self {
        case .f32: .float32
        case .bf16: .bfloat16
        case .f16: .float16
        }
    }
}
