/// What a report is written as, told by the name of the file.
enum ReportFormat: String, Sendable, CaseIterable {
    /// One self-contained page.
    case html
    /// Text with tables.
    case md
    /// What `--json` prints.
    case json

    /// The format for a file name; nil for any other extension.
    init?(fileName: String) {
        guard let dot = fileName.lastIndex(of: "."),
            let format = ReportFormat(
                rawValue: String(fileName[dot...].dropFirst()).lowercased()
            )
        else { return nil }
        self = format
    }
}
