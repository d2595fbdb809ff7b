internal import CheckpointIO
internal import Quant

extension ModelSummary {
    /// Summarizes what a verification found.
    init(modelName: String, report: CheckpointVerifier.Report, isCompared: Bool) {
        self.init(command: "verify", modelName: modelName)
        for tensor in report.tensors {
            rows.append(
                QualityReport.Row(
                    name: tensor.name.description,
                    action: tensor.storage,
                    elementCount: tensor.elementCount,
                    storedByteCount: tensor.storedByteCount,
                    relativeRMSE: tensor.distortion?.relativeRMSE,
                    maximumError: tensor.distortion?.maximumError
                )
            )
            if tensor.config != nil {
                quantizedWeightCount += tensor.elementCount
                after.quantized += tensor.storedByteCount
            } else {
                after.kept += tensor.storedByteCount
            }
        }
        let measured = report.tensors.compactMap(\.distortion)
        let distortion =
            report.distortion
            ?? measured.reduce(nil) { (sum: Distortion?, next) in
                sum?.adding(next) ?? next
            }
        relativeRMSE = distortion?.relativeRMSE
        maximumError = distortion?.maximumError
        histograms = CodeCounts.histograms(
            report.tensors.compactMap { tensor in
                tensor.config.flatMap { config in
                    tensor.distortion.map { (config.format, $0.codeCounts) }
                }
            }
        )
        warnings = report.findings.map(\.description) + report.warnings.map(\.description)
        sentence = ModelSummary.sentence(report, relativeRMSE: relativeRMSE, isCompared: isCompared)
    }

    private static func sentence(
        _ report: CheckpointVerifier.Report,
        relativeRMSE: Double?,
        isCompared: Bool
    ) -> String {
        guard report.isSound else {
            let count = report.findings.count
            let isCutOff = count == CheckpointVerifier.findingLimit
            let defects = count == 1 ? "1 defect" : "\(count) defects"
            return "\(isCutOff ? "At least " : "")\(defects) found."
        }
        guard isCompared else { return "Sound: \(report.tensors.count) tensors were read." }
        return "Sound: \(report.tensors.count) tensors were read and compared, "
            + "relative RMSE \(Quantity.significant(relativeRMSE, 4))."
    }
}
