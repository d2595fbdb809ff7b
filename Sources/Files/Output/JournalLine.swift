/// The spelling of one line of a journal.
enum JournalLine {
    /// What a line says.
    enum Content {
        case fingerprint([Fingerprint.Field])
        case finished(Journal.Entry)
    }

    private static let checkDigitCount = 16
    private static let checkPrefix = Array(#","check":""#.utf8)
    private static let checkSuffix = Array(#""}"#.utf8)

    static func text(of fingerprint: Fingerprint) -> [UInt8] {
        let fields = fingerprint.fields.map {
            JSONValue.array([.string($0.key), .string($0.value)])
        }
        return sealed(["fingerprint": .array(fields)])
    }

    static func text(of entry: Journal.Entry) -> [UInt8] {
        var line: JSONObject = [
            "file": .string(entry.file),
            "size": .integer(entry.byteCount),
            "sha256": .string(entry.digest.hexadecimal),
        ]
        if let note = entry.note { line["note"] = .object(note) }
        return sealed(line)
    }

    /// Reads a line without its newline.
    /// - Returns: `nil` if it is torn, damaged, or not of this form.
    static func parse(_ line: ArraySlice<UInt8>) -> Content? {
        let sealByteCount = checkPrefix.count + checkDigitCount + checkSuffix.count
        guard line.count > sealByteCount, line.suffix(checkSuffix.count) == checkSuffix[...] else {
            return nil
        }
        let body = Array(line.dropLast(sealByteCount))
        let seal = line.suffix(sealByteCount)
        guard seal.starts(with: checkPrefix),
            seal.dropFirst(checkPrefix.count).prefix(checkDigitCount).elementsEqual(
                check(of: body)
            ),
            let object = try? JSONObject(parsing: body + [0x7D])
        else { return nil }
        if let fields = try? object.optionalArray("fingerprint") {
            return fingerprint(fields).map(Content.fingerprint)
        }
        return (try? entry(object)).flatMap { $0 }.map(Content.finished)
    }

    private static func fingerprint(_ values: [JSONValue]) -> [Fingerprint.Field]? {
        var fields: [Fingerprint.Field] = []
        for value in values {
            guard case .array(let pair) = value, pair.count == 2, case .string(let key) = pair[0],
                case .string(let value) = pair[1]
            else { return nil }
            fields.append(Fingerprint.Field(key, value))
        }
        return fields
    }

    private static func entry(_ object: JSONObject) throws(CheckpointError) -> Journal.Entry? {
        let name = try object.string("file")
        let byteCount = try object.integer("size")
        let note = try object.optionalObject("note")
        // The name becomes a path below the temporary folder.
        guard OutputFolder.isPlain(name), byteCount >= 0,
            let digest = FileDigest(hexadecimal: try object.string("sha256"))
        else { return nil }
        return Journal.Entry(
            file: name,
            byteCount: byteCount,
            digest: digest,
            note: note
        )
    }

    private static func sealed(_ object: JSONObject) -> [UInt8] {
        let body = Array(object.text(.dense).utf8.dropLast())
        return body + checkPrefix + check(of: body) + checkSuffix + [0x0A]
    }

    private static func check(of body: [UInt8]) -> [UInt8] {
        Array(body.withRawSpan { FileDigest(of: $0).hexadecimal }.utf8.prefix(checkDigitCount))
    }
}
