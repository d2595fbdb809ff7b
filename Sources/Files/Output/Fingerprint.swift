/// Everything that decides the bytes of an output: tool version, options, inputs.
///
/// A broken run may be continued only if nothing of it has changed.
package struct Fingerprint: Hashable, Sendable {
    /// One thing that decides bytes.
    package struct Field: Hashable, Sendable {
        /// What it is, for example `option.block-size` or `input.model.safetensors`.
        package let key: String
        /// What it was.
        package let value: String

        /// Makes a field.
        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    /// The fields, in an order that is the same in every run.
    package private(set) var fields: [Field]

    /// Makes a fingerprint; inputs are added with `addInput`.
    /// - Parameters:
    ///   - toolVersion: of the program that decides the bytes.
    ///   - options: those that change bytes, in a fixed order; not the number of threads.
    package init(toolVersion: String, options: [Field]) {
        fields =
            [
                Field("format", String(Journal.formatVersion)),
                Field("tool", toolVersion),
            ] + options.map { Field("option." + $0.key, $0.value) }
    }

    /// Adds an input file.
    /// - Parameters:
    ///   - name: below the input folder.
    ///   - byteCount: its length.
    ///   - modified: seconds and nanoseconds of the last change, in any fixed spelling.
    ///   - headerDigest: the SHA-256 of its header; see `FileDigest`.
    package mutating func addInput(
        name: String,
        byteCount: Int,
        modified: String,
        headerDigest: String
    ) {
        fields.append(
            Field("input." + name, "\(byteCount) bytes, \(modified), header \(headerDigest)")
        )
    }

    /// Throws unless the other, earlier fingerprint is this one.
    /// - Throws: `output.fingerprint` with the first field that differs.
    func requireEqual(to earlier: [Field], file: String) throws(CheckpointError) {
        for index in 0..<max(fields.count, earlier.count) {
            let now = index < fields.count ? fields[index] : nil
            let then = index < earlier.count ? earlier[index] : nil
            if now == then { continue }
            throw CheckpointError(
                .outputFingerprint,
                "this run differs from the one to be continued",
                file: file,
                key: now?.key ?? then?.key,
                expected: then.map { now?.key == $0.key ? $0.value : "\($0.key) = \($0.value)" }
                    ?? "nothing",
                found: now.map { then?.key == $0.key ? $0.value : "\($0.key) = \($0.value)" }
                    ?? "nothing",
                hint: "repeat the earlier command, or start anew without `resumes`"
            )
        }
    }
}
