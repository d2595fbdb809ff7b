internal import CheckpointIO
internal import Quant

extension ModelSummary {
    /// Summarizes what a conversion is going to do.
    init(command: String, modelName: String, plan: ConversionPlan) {
        self.init(command: command, modelName: modelName)
        add(plan.tensors.map { ($0, $0.outputByteCount, nil) })
        warnings = plan.warnings.map { OptionNames.spoken($0.description) }
        let files = plan.files.count == 1 ? "1 file" : "\(plan.files.count) files"
        sentence =
            "\(plan.changedTensors.count) of \(plan.tensors.count) tensors are to change: "
            + "\(Quantity.bytes(plan.sourceByteCount)) become "
            + "\(Quantity.bytes(plan.outputByteCount)) in \(files)."
    }

    /// Summarizes what a conversion did.
    init(command: String, modelName: String, report: ConversionReport) {
        self.init(command: command, modelName: modelName)
        add(report.tensors.map { ($0.plan, $0.outputByteCount, $0.distortion) })
        fileByteCount = report.fileByteCount
        warnings = report.warnings.map { OptionNames.spoken($0.description) }
        for tensor in report.tensors where tensor.flushedToZeroCount > 0 {
            warnings.append(
                "\(tensor.plan.name): \(Quantity.count(tensor.flushedToZeroCount)) values were "
                    + "too small for the type and became 0"
            )
        }
        if let distortion = report.distortion {
            relativeRMSE = distortion.relativeRMSE
            maximumError = distortion.maximumError
        }
        let before = report.tensors.reduce(0) { $0 + $1.plan.sourceByteCount }
        sentence =
            "\(Quantity.bytes(before)) of tensors became "
            + "\(Quantity.bytes(report.fileByteCount)) of files"
        if let bits = bitsPerQuantizedWeight {
            sentence += ", \(Quantity.decimal(bits, 2)) bits per quantized weight"
        }
        if let relativeRMSE {
            sentence += ", relative RMSE \(Quantity.significant(relativeRMSE, 3))"
        }
        sentence += "."
    }

    private mutating func add(
        _ tensors: [(plan: ConversionPlan.Tensor, byteCount: Int, distortion: Distortion?)]
    ) {
        var before = Sizes()
        for tensor in tensors {
            let plan = tensor.plan
            rows.append(
                QualityReport.Row(
                    name: plan.name.description,
                    action: plan.action.description,
                    elementCount: plan.elementCount,
                    storedByteCount: tensor.byteCount,
                    relativeRMSE: tensor.distortion?.relativeRMSE,
                    maximumError: tensor.distortion?.maximumError
                )
            )
            switch plan.action {
            case .quantize:
                before.quantized += plan.sourceByteCount
                after.quantized += tensor.byteCount - plan.sideByteCount
                after.scales += plan.sideByteCount
                quantizedWeightCount += plan.elementCount
            case .dequantize:
                before.quantized += plan.sourceByteCount
                after.kept += tensor.byteCount
            case .keep, .convert, .merge, .residual, .adapt:
                before.kept += plan.sourceByteCount
                after.kept += tensor.byteCount
            }
        }
        self.before = before
        histograms = CodeCounts.histograms(
            tensors.compactMap { tensor in
                guard case .quantize(let config, _) = tensor.plan.action else { return nil }
                return tensor.distortion.map { (config.format, $0.codeCounts) }
            }
        )
    }
}

/// How often codes occur, in the order of their values.
enum CodeCounts {
    /// Adds the counts of each format up, in the order in which formats are declared.
    static func histograms(
        _ counts: [(format: QuantizationFormat, counts: [Int])]
    ) -> [(format: String, bars: [(label: String, count: Int)])] {
        QuantizationFormat.allCases.compactMap { format in
            var sums: [Int] = []
            for entry in counts where entry.format == format && !entry.counts.isEmpty {
                sums = sums.isEmpty ? entry.counts : zip(sums, entry.counts).map(+)
            }
            guard !sums.isEmpty else { return nil }
            return (format.rawValue, bars(sums, of: format))
        }
    }

    private static func bars(
        _ counts: [Int],
        of format: QuantizationFormat
    ) -> [(label: String, count: Int)] {
        guard let values = format.codebook?.values else {
            // Codes are bytes in two's complement.
            let codes = counts.indices.map { (value: Int(Int8(truncatingIfNeeded: $0)), code: $0) }
            return codes.sorted { $0.value < $1.value }.map { ("\($0.value)", counts[$0.code]) }
        }
        let codes = zip(values, counts).enumerated().map { code, pair in
            // FP4 has two zeros, of which the one with the sign bit comes first.
            (value: pair.0, order: pair.0 == 0 ? -code : code, count: pair.1)
        }
        return codes.sorted { ($0.value, $0.order) < ($1.value, $1.order) }.map { code in
            let digits = format.is4Bit ? 2 : 3
            let isSecondZero = code.value == 0 && code.order == -8 && format == .fp4
            let label = isSecondZero ? "-0" : Quantity.significant(Double(code.value), digits)
            return (label, code.count)
        }
    }
}
