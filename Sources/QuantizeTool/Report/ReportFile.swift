internal import CheckpointIO

/// A report on its way to a file; it replaces an earlier one, and appears whole or not at all.
struct ReportFile: Sendable {
    private let path: String
    private let format: ReportFormat

    /// What stands at the beginning of every report: only a file with it is replaced.
    static let mark = "written by quantize of swift-qlora"

    /// Prepares a report, before long work starts: a place that cannot be written shows now.
    /// - Throws: `output.…`, `file.…`.
    init(at path: String) throws(CheckpointError) {
        self.path = path
        format = ReportFormat(fileName: path) ?? .json
        // Starting and dropping the output checks the folder, the name and the permission.
        _ = try SingleFileOutput(at: path, sources: [], isReplaceable: Self.isReport)
    }

    /// Writes the report of a finished command.
    /// - Throws: `output.…`, `file.io`.
    func write(_ result: CommandResult) throws(CheckpointError) {
        let bytes = Array(ReportFile.text(result, format: format).utf8)
        let output = try SingleFileOutput(
            at: path,
            sources: [],
            isReplaceable: Self.isReport,
            byteCount: bytes.count
        )
        try bytes.withRawSpan { (span) throws(CheckpointError) in
            try output.file.write(span, at: 0)
        }
        try output.commit()
    }

    /// Returns the text of a report in a format.
    static func text(_ result: CommandResult, format: ReportFormat) -> String {
        switch format {
        case .html: HTMLReport.text(result.report)
        case .md: MarkdownReport.text(result.report)
        case .json:
            JSONObject(
                [("generator", .string(mark))] + result.json.members.map { ($0.key, $0.value) }
            )
            .text(.indented) + "\n"
        }
    }

    /// Whether a file is an earlier report, or empty.
    private static func isReport(_ file: any ByteSource) throws(CheckpointError) -> Bool {
        guard file.byteCount > 0 else { return true }
        let head = try file.bytes(in: 0..<min(file.byteCount, 1024))
        return String(decoding: head, as: UTF8.self).contains(mark)
    }
}
